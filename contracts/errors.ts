/**
 * The catalogue of everything the API answers besides success: the stable `code`, its HTTP status, a title, and whether
 * sending the same request again (with the same key) can help. docs/errors.md is checked against this table.
 */
export const errorCatalogue = {
  malformed_json: { status: 400, title: 'The body is not JSON', retry: false },
  missing_idempotency_key: { status: 400, title: 'This request needs an Idempotency-Key header', retry: false },
  unauthenticated: { status: 401, title: 'Sign in first', retry: false },
  invalid_credentials: { status: 401, title: 'Unknown user or wrong password', retry: false },
  invalid_refresh_token: { status: 401, title: 'Sign in again', retry: false },
  bad_signature: { status: 401, title: 'The signature is not the bank’s, or is too old', retry: false },
  forbidden: { status: 403, title: 'Your role does not allow this', retry: false },
  own_request: { status: 403, title: 'This takes another person than who asked for it', retry: false },
  unknown_identity: { status: 403, title: 'Nobody here is who the provider says', retry: false },
  user_frozen: { status: 403, title: 'This user is frozen', retry: false },
  not_found: { status: 404, title: 'There is nothing here that you may see', retry: false },
  method_not_allowed: { status: 405, title: 'This address does not take that method', retry: false },
  username_taken: { status: 409, title: 'That username is taken', retry: false },
  idempotency_key_reused: { status: 409, title: 'The key was used for another command', retry: false },
  too_many_api_keys: { status: 409, title: 'You have as many API keys as one may have', retry: false },
  too_late: { status: 409, title: 'It is too late for that', retry: false },
  not_awaiting_approval: { status: 409, title: 'The transaction is not waiting for approval', retry: false },
  not_in_attention: { status: 409, title: 'The transaction does not need attention', retry: false },
  second_person_needed: { status: 409, title: 'A second person has to say the same', retry: false },
  not_resolvable: {
    status: 409,
    title: 'Only a payment through the bank, or an adjustment, is resolved',
    retry: false,
  },
  not_erasable: { status: 409, title: 'The user has money, or something is pending or may come back', retry: false },
  wallet_not_empty: { status: 409, title: 'Only an empty wallet with nothing held can be closed', retry: false },
  wallet_frozen: { status: 409, title: 'The wallet is frozen', retry: false },
  wallet_closed: { status: 409, title: 'The wallet is closed', retry: false },
  body_too_large: { status: 413, title: 'The body is too large', retry: false },
  unsupported_media_type: { status: 415, title: 'The body must be application/json', retry: false },
  invalid_request: { status: 422, title: 'The request has mistakes', retry: false },
  bank_account_unverified: { status: 422, title: 'The bank has not confirmed the bank account yet', retry: true },
  bank_account_refused: { status: 422, title: 'The bank refused the bank account', retry: false },
  wallet_not_open: { status: 422, title: 'The wallet is frozen or closed', retry: false },
  not_refundable: { status: 422, title: 'Only a completed transfer can be refunded', retry: false },
  transaction_rejected: { status: 422, title: 'The books refused the transaction', retry: false },
  rate_limited: { status: 429, title: 'Too many requests', retry: true },
  internal: { status: 500, title: 'Something unexpected happened', retry: true },
  not_started: { status: 503, title: 'Nothing was started', retry: true },
  overloaded: { status: 503, title: 'Too much is waiting; nothing was started', retry: true },
  shard_unavailable: { status: 503, title: 'The database of this user is not reachable', retry: true },
  outcome_unknown: { status: 503, title: 'The outcome is not known yet', retry: true },
  provider_unavailable: { status: 503, title: 'The keys of the identity provider can not be had', retry: true },
  shutting_down: { status: 503, title: 'This process is stopping; nothing was started', retry: true },
} as const satisfies Record<string, { status: number; title: string; retry: boolean }>;

export type ErrorCode = keyof typeof errorCatalogue;

export interface FieldMistake {
  /** Where: a JSON pointer into the body (`/amount`), or `header Idempotency-Key`, `query limit`. */
  field: string;
  message: string;
}
