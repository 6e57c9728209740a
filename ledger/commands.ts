import type { AccountId, TransactionId, UserId } from '../contracts/ids';
import type { TransactionStatus, TransactionType, WalletStatus } from '../contracts/statuses';

/** What a transaction is, fixed when it is first written down. */
export interface TransactionFacts {
  id: TransactionId;
  type: TransactionType;
  actorId: UserId;
  /** Tells a replay of the same command from a key used twice. */
  hash: string;
  from: AccountId;
  /** Absent when nobody has the typed name. */
  to?: AccountId;
  toNameSealed?: string;
  amountMinor: bigint;
  currency: string;
  messageSealed?: string;
}

/** What the books can be asked to do. Each is safe to ask again: the answer is then what already happened. */
export type Command =
  /** Move the money now, whole; complete or reject the transaction. */
  | { kind: 'transfer'; facts: TransactionFacts }
  /** Write the transaction down as open, owned by a workflow. */
  | { kind: 'pend'; facts: TransactionFacts; owner: string }
  /** End it with nothing moved, unless it has ended already. */
  | { kind: 'cancel'; facts: TransactionFacts; reason: string }
  /** Say that automatic retries could not finish it. */
  | { kind: 'attention'; facts: TransactionFacts; owner: string; reason: string; lastError: string }
  /** Reserve money of the source; refuse the whole transaction when it can't be. */
  | { kind: 'hold'; facts: TransactionFacts; step: string; owner: string; expiresAt?: Date }
  /** Move what a hold reserved to `to`, and complete the transaction. */
  | { kind: 'capture'; facts: TransactionFacts; step: string; holdStep: string; to: AccountId }
  /** Give back what a hold reserved, and end the transaction as cancelled. */
  | { kind: 'release'; facts: TransactionFacts; step: string; holdStep: string; reason: string }
  /** Forbid a step for ever, unless it is done already. */
  | { kind: 'tombstone'; transactionId: TransactionId; step: string }
  | { kind: 'freeze' | 'unfreeze' | 'close' | 'reopen'; accountId: AccountId; actorId: UserId };

export type Outcome =
  | TransactionOutcome
  /** The id belongs to another command: its key was used before. */
  | { kind: 'conflict'; id: TransactionId }
  | { kind: 'step'; transactionId: TransactionId; step: string; outcome: StepOutcome }
  | { kind: 'wallet'; accountId: AccountId; status: WalletStatus }
  | { kind: 'refused'; reason: 'wallet_not_empty' | 'wallet_frozen' | 'wallet_closed' | 'step_not_possible' }
  /** This command failed unexpectedly and did nothing; its neighbours went through. */
  | { kind: 'trouble'; error: string };

export interface TransactionOutcome {
  kind: 'transaction';
  id: TransactionId;
  status: TransactionStatus;
  /** A Refusal when rejected; otherwise why it was cancelled or needs attention. */
  reason: string | null;
  createdAt: Date;
  completedAt: Date | null;
  /** The transaction had been written down before this command came. */
  replayed: boolean;
}

export type StepOutcome = 'done' | 'tombstone';
