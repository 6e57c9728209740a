import { BankError } from './rail';

type Kind = BankError['kind'];

/**
 * How an answer without a fact is to be taken. The question is only what may have happened at the bank: `later` says
 * surely nothing, `uncertain` says perhaps all of it, and whoever doesn't know says `uncertain`.
 */
const BY_STATUS: Record<number, { kind: Kind; code: string }> = {
  400: { kind: 'never', code: 'malformed_request' },
  401: { kind: 'never', code: 'wrong_api_key' },
  403: { kind: 'never', code: 'not_allowed' },
  404: { kind: 'never', code: 'no_such_endpoint' },
  405: { kind: 'never', code: 'no_such_endpoint' },
  408: { kind: 'uncertain', code: 'timeout' },
  409: { kind: 'never', code: 'reference_reused' },
  413: { kind: 'never', code: 'malformed_request' },
  415: { kind: 'never', code: 'malformed_request' },
  422: { kind: 'never', code: 'malformed_request' },
  425: { kind: 'later', code: 'too_early' },
  429: { kind: 'later', code: 'too_many_requests' },
  500: { kind: 'uncertain', code: 'bank_error' },
  502: { kind: 'uncertain', code: 'gateway_error' },
  // What stands between us and the bank says 503 too, and doesn't know what the bank has done.
  503: { kind: 'uncertain', code: 'gateway_error' },
  504: { kind: 'uncertain', code: 'gateway_error' },
};

/** The bank's own codes that say more than their status does. */
const BY_CODE: Record<string, Kind> = {
  unavailable: 'later', // turned away at the door, before anything was read
};

/** Causes of a call that never reached the bank: no connection was made, so nothing was sent. */
const NOT_SENT: Record<string, string> = {
  ECONNREFUSED: 'nobody listens',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name could not be looked up',
  EHOSTUNREACH: 'no way to its host',
  ENETUNREACH: 'no way to its network',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
};

export function errorOfStatus(status: number, code: string | undefined, message: string): BankError {
  const row = BY_STATUS[status] ?? unlistedStatus(status);
  const kind = (code !== undefined && BY_CODE[code]) || row.kind;
  return new BankError(kind, code ?? row.code, `The bank answered ${status}: ${message}`);
}

function unlistedStatus(status: number): { kind: Kind; code: string } {
  // A redirect or an odd refusal of the request itself: asking again won't help. Anything else may be anything.
  if (status >= 300 && status < 500) return { kind: 'never', code: 'malformed_request' };
  return { kind: 'uncertain', code: 'bank_error' };
}

/** A call that brought no answer at all. */
export function errorOfFailure(error: unknown, deadlineMs: number): BankError {
  const { name, cause = error } = error as Error;
  if (name === 'TimeoutError') {
    return new BankError('uncertain', 'timeout', `The bank did not answer within ${deadlineMs} ms`, { cause: error });
  }
  const code = (cause as { code?: unknown }).code;
  if (typeof code === 'string' && NOT_SENT[code] !== undefined) {
    return new BankError('later', 'unreachable', `The bank can't be reached: ${NOT_SENT[code]}`, { cause: error });
  }
  return new BankError('uncertain', 'connection_lost', 'The connection to the bank was lost', { cause: error });
}

/** An answer that can't be understood says nothing of what was done. */
export function errorOfAnswer(message: string, cause?: unknown): BankError {
  return new BankError('uncertain', 'malformed_answer', `The bank's answer makes no sense: ${message}`, { cause });
}

/**
 * Why a bank refuses or returns, and whether another attempt, under a new reference, may end differently. A reason that
 * isn't listed is final: trying again something that isn't understood is for a person to decide.
 */
export const REFUSAL_REASONS = {
  cut_off: { again: true, meaning: 'too late for today' },
  liquidity: { again: true, meaning: 'the bank is short of this currency just now' },
  account_closed: { again: false, meaning: 'the account is closed' },
  account_not_found: { again: false, meaning: 'there is no such account' },
  account_blocked: { again: false, meaning: 'the account takes part in no payments' },
  insufficient_funds: { again: false, meaning: 'the account to be collected from has too little' },
  name_mismatch: { again: false, meaning: "the account is not the holder's" },
  limit: { again: false, meaning: 'more than the account may move' },
  not_authorised: { again: false, meaning: 'the holder has not allowed it, or has taken it back' },
  voided: { again: false, meaning: 'we had forbidden this reference' },
} as const satisfies Record<string, { again: boolean; meaning: string }>;

export function isWorthANewAttempt(reason: string | undefined): boolean {
  return (
    reason !== undefined &&
    Object.hasOwn(REFUSAL_REASONS, reason) &&
    REFUSAL_REASONS[reason as keyof typeof REFUSAL_REASONS].again
  );
}
