import { BankError, type Rail } from '../bank/rail';
import { inSpan } from '../tracing';
import { bankCalls } from './instruments';

const OUTCOMES = ['ok', 'later', 'uncertain', 'never'];

/** The same rail, each call timed and traced. */
export function timedRail(rail: Rail): Rail {
  const timed = <Args extends unknown[], Answer>(call: string, ask: (...args: Args) => Promise<Answer>) => {
    for (const outcome of OUTCOMES) bankCalls.zero({ call, outcome });
    return async (...args: Args): Promise<Answer> => {
      const end = bankCalls.startTimer({ call });
      try {
        const answer = await inSpan(`bank ${call}`, { isCall: true }, () => ask(...args));
        end({ outcome: 'ok' });
        return answer;
      } catch (error) {
        end({ outcome: error instanceof BankError ? error.kind : 'error' });
        throw error;
      }
    };
  };
  return {
    ...rail,
    collect: timed('collect', rail.collect),
    payOut: timed('pay_out', rail.payOut),
    lookUp: timed('look_up', rail.lookUp),
    void: timed('void', rail.void),
    checkAccount: timed('check_account', rail.checkAccount),
    statement: timed('statement', rail.statement),
  };
}
