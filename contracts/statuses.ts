export const TRANSACTION_TYPES = [
  'transfer',
  'opening',
  'deposit',
  'withdrawal',
  'refund',
  'reversal',
  'adjustment',
] as const;
export type TransactionType = (typeof TRANSACTION_TYPES)[number];

export const TRANSACTION_STATUSES = [
  'pending',
  'awaiting_approval',
  'needs_attention',
  'completed',
  'rejected',
  'cancelled',
] as const;
export type TransactionStatus = (typeof TRANSACTION_STATUSES)[number];

/** Final statuses never change again; every other one has a workflow that owns it. */
export function isFinal(status: TransactionStatus): boolean {
  return status === 'completed' || status === 'rejected' || status === 'cancelled';
}

export const WALLET_STATUSES = ['open', 'frozen', 'closed'] as const;
export type WalletStatus = (typeof WALLET_STATUSES)[number];

/** A frozen user can't sign in or open a wallet, and each of their wallets counts as frozen. */
export const USER_STATUSES = ['active', 'frozen', 'erased'] as const;
export type UserStatus = (typeof USER_STATUSES)[number];

export const ROLES = ['customer', 'ops', 'auditor', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Why the books refuse something: the `reason` of a rejected transaction. */
export const REFUSALS = {
  insufficient_funds: 'The wallet has less available than the amount.',
  wallet_frozen: 'One of the wallets is frozen.',
  wallet_closed: 'One of the wallets is closed.',
  unknown_recipient: 'There is no such recipient.',
  currency_mismatch: 'The two wallets hold different currencies.',
  same_wallet: 'Source and target are the same wallet.',
  balance_limit: 'The recipient cannot hold that much.',
  not_refundable: 'Only a completed transfer can be refunded, by who received it to who sent it.',
  nothing_left: 'The refund is of more than is left of the transfer.',
  limit_exceeded: 'The wallet has reached what it may move in a day or a month.',
} as const;
export type Refusal = keyof typeof REFUSALS;

/** How a shard's replica stands to its primary. Only one that is `near` is asked. */
export const REPLICA_STATES = ['near', 'behind', 'away', 'no_standby', 'other_books', 'unknown'] as const;
export type ReplicaState = (typeof REPLICA_STATES)[number];

/** What a person may decide about a transaction. */
export const DECISION_KINDS = ['approve', 'reject', 'retry', 'cancel', 'resolve'] as const;
export type DecisionKind = (typeof DECISION_KINDS)[number];

/** What people may resolve a transaction as, once they know what became of its money. */
export type ResolvedAs = 'completed' | 'cancelled';
