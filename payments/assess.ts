import type { Resolution } from './stock';
import { isFinal, type TransactionStatus, type TransactionType } from '../contracts/statuses';
import type { BankRequest } from './requests';

/** A refusal that may pass, under a new reference: so often, then it counts. */
const MAX_ATTEMPTS = 3;

export interface Payment {
  type: TransactionType;
  status: TransactionStatus;
  amountMinor: bigint;
  currency: string;
}

export type Verdict =
  | { next: 'nothing' | 'approval' | 'send' | 'void' | 'settlement' }
  | { next: 'attention'; reason: string }
  /** Book it. `movedMinor`: what the bank moved, where that isn't what was asked for. */
  | { next: 'complete'; movedMinor?: bigint }
  | { next: 'undo'; status: 'cancelled' | 'rejected'; reason: string; movedMinor?: bigint };

export interface Facts {
  payment: Payment;
  /** The latest request to the bank. */
  request: BankRequest | undefined;
  /** What two people have said it is to end with. */
  resolution: Resolution | undefined;
  isWorthANewAttempt(reason: string): boolean;
}

/** Pure: what is to be done about a payment, from everything known of it. The one place that decides it. */
export function assess({ payment, request, resolution, isWorthANewAttempt }: Facts): Verdict {
  if (isFinal(payment.status)) return { next: 'nothing' };
  if (payment.status === 'awaiting_approval') return { next: 'approval' };
  if (payment.type === 'adjustment') return { next: 'complete' };
  switch (request?.state) {
    case undefined:
      // Nothing was ever sent, so there is nothing that could have been completed.
      return resolution === 'cancelled' ? cancelled('resolved_by_ops') : { next: 'send' };
    case 'sending':
      return resolved(resolution) ?? { next: 'send' };
    case 'accepted':
      return resolved(resolution) ?? { next: 'settlement' };
    case 'voiding':
      return resolved(resolution) ?? { next: 'void' };
    case 'settled':
      return settled(payment, request, resolution);
    case 'refused': {
      // What we had forbidden before it came there: the same, said to whoever sent it.
      if (request.reason === 'voided') return cancelled('cancelled_on_request');
      const again = isWorthANewAttempt(request.reason ?? '') && request.attempt < MAX_ATTEMPTS;
      if (again && resolution === undefined) return { next: 'send' };
      return { next: 'undo', status: 'rejected', reason: request.reason ? `bank_${request.reason}` : 'bank_refused' };
    }
    case 'voided':
      return cancelled('cancelled_on_request');
    case 'returned':
      return { next: 'undo', status: 'rejected', reason: 'bank_returned' };
  }
}

/** What the bank hasn't said, two people may. */
function resolved(resolution: Resolution | undefined): Verdict | undefined {
  if (resolution === 'completed') return { next: 'complete' };
  if (resolution === 'cancelled') return cancelled('resolved_by_ops');
  return undefined;
}

/** The bank's word stands against any person's; only what moved differently than asked needs one. */
function settled(payment: Payment, request: BankRequest, resolution: Resolution | undefined): Verdict {
  const movedMinor = request.amount ?? undefined;
  if (request.currency !== null && request.currency !== payment.currency) {
    // In this currency nothing has moved.
    if (resolution === 'completed') return { next: 'complete', movedMinor: 0n };
    return resolved(resolution) ?? { next: 'attention', reason: 'currency_mismatch' };
  }
  if (movedMinor === undefined || movedMinor === payment.amountMinor) return { next: 'complete' };
  if (resolution === 'completed') return { next: 'complete', movedMinor };
  if (resolution === 'cancelled') return { ...cancelled('resolved_by_ops'), movedMinor };
  return { next: 'attention', reason: 'amount_mismatch' };
}

function cancelled(reason: string) {
  return { next: 'undo', status: 'cancelled', reason } as const;
}
