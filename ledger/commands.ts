import type { AccountId, TransactionId, UserId } from '../contracts/ids';
import type { By } from './by';
import type {
  DecisionKind,
  Refusal,
  ResolvedAs,
  TransactionStatus,
  TransactionType,
  WalletStatus,
} from '../contracts/statuses';

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
  /** The transaction this one answers: what a refund gives back, what a reversal undoes. */
  linkedTo?: TransactionId;
  /** The bank account on the other side of a deposit or withdrawal. */
  bankAccountId?: string;
}

/** How a transaction stands that has just been asked for. */
export type FirstStatus = 'pending' | 'awaiting_approval';

/**
 * What the books can be asked to do. Each is safe to ask again: the answer is then what already happened. `movedMinor` is
 * what the bank really moved, where that isn't what was asked for: `@bank` then still mirrors the bank to the cent, and
 * `@suspense` has the difference.
 */
export type Command =
  /**
   * Move the money now, whole; complete or reject the transaction. To another shard it is only tried: the money is held,
   * and the transaction stays open, owned by `owner`, until a capture or a release.
   */
  | { kind: 'transfer'; facts: TransactionFacts; owner?: string; expiresAt?: Date }
  /** On the target's shard: credit what is held on the source's, against `@clearing`; the point of no return. */
  | { kind: 'receive'; facts: TransactionFacts }
  /** Write the transaction down as open, owned by a workflow. */
  | { kind: 'pend'; facts: TransactionFacts; owner: string; status?: FirstStatus }
  /** End it with nothing moved for its customer, unless it has ended already. */
  | {
      kind: 'cancel';
      facts: TransactionFacts;
      status?: 'cancelled' | 'rejected';
      reason: string;
      onlyWhile?: TransactionStatus;
      movedMinor?: bigint;
    }
  /** Say that automatic retries could not finish it. */
  | { kind: 'attention'; facts: TransactionFacts; owner: string; reason: string; lastError: string }
  /** Say that what needed attention is being tried again. */
  | { kind: 'resume'; facts: TransactionFacts }
  /** Reserve money of the source; refuse the whole transaction when it can't be. */
  | { kind: 'hold'; facts: TransactionFacts; step: string; owner: string; expiresAt?: Date; status?: FirstStatus }
  /** Move what a hold reserved to `to`, and complete the transaction. */
  | {
      kind: 'capture';
      facts: TransactionFacts;
      step: string;
      holdStep: string;
      to: AccountId;
      movedMinor?: bigint;
    }
  /** Give back what a hold reserved, and end the transaction. */
  | {
      kind: 'release';
      facts: TransactionFacts;
      step: string;
      holdStep: string;
      status: 'cancelled' | 'rejected';
      reason: string;
      /** Not possible in any other status: an approval's end must not undo an approval. */
      onlyWhile?: TransactionStatus;
      movedMinor?: bigint;
    }
  /** Give money that has surely arrived at the bank to its target, or else to `@suspense`; complete the transaction. */
  | { kind: 'credit'; facts: TransactionFacts; movedMinor?: bigint }
  /**
   * On a shard that lost its half of a transfer whose other half is done: the same half again, under the same id. It is
   * never refused for good: a credit that its wallet can't have waits in `@suspense`, and a debit that can't be paid
   * leaves everything as it was.
   */
  | ({ kind: 'repost'; facts: TransactionFacts; half: Half } & By)
  /** Forbid a step for ever, unless it is done already. */
  | { kind: 'tombstone'; transactionId: TransactionId; step: string }
  | DecisionCommand
  | ({ kind: 'freeze' | 'unfreeze' | 'close' | 'reopen'; accountId: AccountId; noteSealed?: string } & By)
  | RecordCommand;

/** A transfer between two shards: the debit is the source's, the credit the target's. */
export type Half = 'debit' | 'credit';

/** Change a row that isn't the books' own, and tell of it in the chain, both or neither. */
export interface RecordCommand extends By {
  kind: 'record';
  subjectId: string;
  event: string;
  /** What changed; nothing personal or secret in the clear. */
  detail?: object;
  change: RowChange;
}

/** A statement whose rows are what it changed: when there are none, nothing is told. */
export interface RowChange {
  name: string;
  text: string;
  values: unknown[];
}

/** What a person says of a transaction. Its id is the person's own: the same one again is the same decision. */
export interface DecisionCommand extends By {
  kind: 'decision';
  id: string;
  transactionId: TransactionId;
  decision: DecisionKind;
  role: string;
  noteSealed?: string;
  /** What to resolve it as; of a `resolve` only. */
  outcome?: ResolvedAs;
}

export type Outcome =
  | TransactionOutcome
  /** The id, a transaction's or a decision's, belongs to another command. */
  | { kind: 'conflict'; id: string }
  | { kind: 'step'; transactionId: TransactionId; step: string; outcome: StepOutcome }
  | { kind: 'wallet'; accountId: AccountId; status: WalletStatus }
  /** The row was changed, and the chain tells of it. */
  | { kind: 'recorded' }
  /** Written down; `proposed` waits for a second person. The status is the transaction's, as it now stands. */
  | { kind: 'decision'; id: string; state: DecisionState; status: TransactionStatus }
  | { kind: 'refused'; reason: RefusedReason }
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

export type DecisionState = 'proposed' | 'final';

/** Why a command was refused that leaves everything as it was. */
export type RefusedReason =
  'wallet_not_empty' | 'step_not_possible' | 'unchanged' | 'unknown_wallet' | Refusal | DecisionRefusal;

export type DecisionRefusal =
  | 'unknown_transaction'
  | 'not_awaiting_approval'
  | 'not_in_attention'
  | 'own_request'
  | 'second_person_needed'
  | 'too_late';
