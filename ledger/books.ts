import type { DefaultLimits, LimitKind, Limits } from '../contracts/limits';
import type { AccountId, TransactionId, UserId } from '../contracts/ids';
import {
  isFinal,
  type DecisionKind,
  type ResolvedAs,
  type TransactionStatus,
  type TransactionType,
  type WalletStatus,
} from '../contracts/statuses';
import { toldBy, type By } from './by';
import type { Command, DecisionState, StepOutcome, TransactionFacts, TransactionOutcome } from './commands';
import type { Counted, Usage } from './limits';

export interface Account {
  id: AccountId;
  kind: 'user' | 'system';
  currency: string;
  status: WalletStatus;
  /** Staff froze whose it is, and so everything of theirs. */
  ownerFrozen: boolean;
  balance: bigint;
  held: bigint;
  version: bigint;
  /** Its own, where staff gave it some. */
  limits: Limits | null;
  used: Usage | null;
}

export interface TransactionRecord {
  id: TransactionId;
  type: TransactionType;
  actorId: UserId;
  hash: string;
  status: TransactionStatus;
  reason: string | null;
  owner: string | null;
  from: AccountId;
  /** Where the money goes, as first written down. */
  to: AccountId | null;
  amountMinor: bigint;
  currency: string;
  /** How much of it refunds have given back. */
  refundedMinor: bigint;
  createdAt: Date;
  completedAt: Date | null;
  createdBlock: bigint;
}

export interface Hold {
  transactionId: TransactionId;
  step: string;
  accountId: AccountId;
  amountMinor: bigint;
  status: 'held' | 'captured' | 'released';
  expiresAt: Date | null;
  /** Of the block that made it. */
  at: Date;
  block: bigint;
}

/** What a person decided, or proposed, about a transaction. */
export interface DecisionRecord {
  id: string;
  transactionId: TransactionId;
  kind: DecisionKind;
  actorId: UserId;
  role: string;
  outcome: ResolvedAs | null;
  noteSealed: string | null;
  state: DecisionState;
}

export interface Entry {
  transactionId: TransactionId;
  accountId: AccountId;
  currency: string;
  amountMinor: bigint;
  balanceAfter: bigint;
}

export interface BooksEvent {
  subjectId: string;
  kind: string;
  /** JSON, as the exact text that is stored and hashed. */
  detail: string;
}

/** The rows that a batch of commands touches, as read under the chain-head lock. */
export interface Books {
  accounts: Iterable<Account>;
  transactions: Iterable<TransactionRecord>;
  steps: Iterable<{ transactionId: TransactionId; step: string; outcome: StepOutcome }>;
  holds: Iterable<Hold>;
  /** In the order they were made. */
  decisions: Iterable<DecisionRecord>;
  /** For wallets that have none of their own. */
  defaultLimits?: DefaultLimits;
  /** Commands to change a row that found it changed already, or gone. */
  unchanged?: ReadonlySet<Command>;
}

export interface NewTransaction {
  facts: TransactionFacts;
  record: TransactionRecord;
  /** Started on another shard. */
  incoming: boolean;
}

export interface NewStep {
  transactionId: TransactionId;
  step: string;
  outcome: StepOutcome;
}

const stepKey = (transactionId: TransactionId, step: string) => `${transactionId}:${step}`;

/**
 * The books while a batch is decided: each command sees what the ones before it did, and every change is kept apart so
 * that the poster can write exactly those.
 */
export class Draft {
  readonly newTransactions = new Map<TransactionId, NewTransaction>();
  readonly changedTransactions = new Map<TransactionId, TransactionRecord>();
  readonly changedRefunds = new Map<TransactionId, TransactionRecord>();
  readonly changedAccounts = new Map<AccountId, Account>();
  readonly newHolds = new Map<string, Hold>();
  readonly changedHolds = new Map<string, Hold>();
  readonly newSteps: NewStep[] = [];
  readonly newDecisions: DecisionRecord[] = [];
  readonly entries: Entry[] = [];
  readonly events: BooksEvent[] = [];
  readonly defaultLimits: DefaultLimits;

  private readonly accounts = new Map<AccountId, Account>();
  private readonly transactions = new Map<TransactionId, TransactionRecord>();
  private readonly steps = new Map<string, StepOutcome>();
  private readonly holds = new Map<string, Hold>();
  private readonly holdsOf = new Map<TransactionId, Hold[]>();
  private readonly decisions: DecisionRecord[];
  private readonly unchanged: ReadonlySet<Command>;

  constructor(
    books: Books,
    readonly at: Date,
    readonly block: bigint,
  ) {
    for (const account of books.accounts) this.accounts.set(account.id, { ...account });
    for (const record of books.transactions) this.transactions.set(record.id, { ...record });
    for (const each of books.steps) this.steps.set(stepKey(each.transactionId, each.step), each.outcome);
    for (const hold of books.holds) this.keepHold({ ...hold });
    this.decisions = [...books.decisions];
    this.unchanged = books.unchanged ?? new Set();
    this.defaultLimits = books.defaultLimits ?? new Map();
  }

  isUnchanged(command: Command): boolean {
    return this.unchanged.has(command);
  }

  account(id: AccountId): Account | undefined {
    return this.accounts.get(id);
  }

  transaction(id: TransactionId): TransactionRecord | undefined {
    return this.transactions.get(id);
  }

  step(transactionId: TransactionId, step: string): StepOutcome | undefined {
    return this.steps.get(stepKey(transactionId, step));
  }

  hold(transactionId: TransactionId, step: string): Hold | undefined {
    return this.holds.get(stepKey(transactionId, step));
  }

  /** Whether money is held for the transaction, by any step but `except`. */
  holdsMoney(transactionId: TransactionId, except?: string): boolean {
    return this.heldFor(transactionId).some((hold) => hold.step !== except);
  }

  heldFor(transactionId: TransactionId): Hold[] {
    return (this.holdsOf.get(transactionId) ?? []).filter((hold) => hold.status === 'held');
  }

  decision(id: string): DecisionRecord | undefined {
    return this.decisions.find((each) => each.id === id);
  }

  /** In the order they were made. */
  decisionsOf(transactionId: TransactionId): DecisionRecord[] {
    return this.decisions.filter((each) => each.transactionId === transactionId);
  }

  /** Writes a transaction down for the first time, open and owned by nobody yet. */
  open(facts: TransactionFacts, { incoming = false } = {}): TransactionRecord {
    const record: TransactionRecord = {
      id: facts.id,
      type: facts.type,
      actorId: facts.actorId,
      hash: facts.hash,
      status: 'pending',
      reason: null,
      owner: null,
      from: facts.from,
      to: facts.to ?? null,
      amountMinor: facts.amountMinor,
      currency: facts.currency,
      refundedMinor: 0n,
      createdAt: this.at,
      completedAt: null,
      createdBlock: this.block,
    };
    this.transactions.set(facts.id, record);
    this.newTransactions.set(facts.id, { facts, record, incoming });
    return record;
  }

  setStatus(record: TransactionRecord, status: TransactionStatus, reason: string | null, detail: object = {}): void {
    if (isFinal(record.status)) throw new Error(`${record.id} is ${record.status} and can't become ${status}`);
    record.status = status;
    record.reason = reason;
    if (isFinal(status)) {
      record.completedAt = this.at;
      record.owner = null;
    }
    this.noteChanged(record);
    this.note(record.id, status, reason === null ? detail : { reason, ...detail });
  }

  setOwner(record: TransactionRecord, owner: string): void {
    if (record.owner === owner) return;
    record.owner = owner;
    this.noteChanged(record);
  }

  addRefunded(original: TransactionRecord, by: TransactionId, amountMinor: bigint): void {
    original.refundedMinor += amountMinor;
    this.changedRefunds.set(original.id, original);
    this.note(original.id, 'refunded', { by, amountMinor: amountMinor.toString() });
  }

  setAccountStatus(account: Account, status: WalletStatus, by: By & { noteSealed?: string }): void {
    account.status = status;
    this.changedAccounts.set(account.id, account);
    this.note(account.id, status, { ...toldBy(by), ...(by.noteSealed !== undefined && { note: by.noteSealed }) });
  }

  setUsed(account: Account, kind: LimitKind, counted: Counted): void {
    account.used = { ...account.used, [kind]: counted };
    this.changedAccounts.set(account.id, account);
  }

  /** Two entries that cancel out: the only way money moves. */
  move(transactionId: TransactionId, from: Account, to: Account, amountMinor: bigint): void {
    if (from.currency !== to.currency) throw new Error('A move must stay in one currency');
    if (amountMinor <= 0n) throw new Error('A move must be of a positive amount');
    this.enter(transactionId, from, -amountMinor);
    this.enter(transactionId, to, amountMinor);
  }

  /** Reserves (or, with a negative amount, frees) money of an account. */
  reserve(account: Account, amountMinor: bigint): void {
    account.held += amountMinor;
    this.changedAccounts.set(account.id, account);
  }

  addHold(hold: Hold): void {
    this.keepHold(hold);
    this.newHolds.set(stepKey(hold.transactionId, hold.step), hold);
  }

  endHold(hold: Hold, status: 'captured' | 'released'): void {
    if (hold.status !== 'held') throw new Error(`The hold of ${hold.transactionId} is ${hold.status} already`);
    hold.status = status;
    const key = stepKey(hold.transactionId, hold.step);
    if (!this.newHolds.has(key)) this.changedHolds.set(key, hold);
  }

  addStep(transactionId: TransactionId, step: string, outcome: StepOutcome): void {
    this.steps.set(stepKey(transactionId, step), outcome);
    this.newSteps.push({ transactionId, step, outcome });
  }

  addDecision(decision: DecisionRecord, by: By): void {
    this.decisions.push(decision);
    this.newDecisions.push(decision);
    const { kind, detail } = eventOfDecision(decision);
    this.note(decision.transactionId, kind, { ...detail, ...toldBy(by) });
  }

  note(subjectId: string, kind: string, detail: object = {}): void {
    this.events.push({ subjectId, kind, detail: JSON.stringify(detail) });
  }

  get isEmpty(): boolean {
    return (
      this.events.length === 0 &&
      this.newSteps.length === 0 &&
      this.newTransactions.size === 0 &&
      this.changedTransactions.size === 0
    );
  }

  private enter(transactionId: TransactionId, account: Account, amountMinor: bigint): void {
    account.balance += amountMinor;
    this.changedAccounts.set(account.id, account);
    this.entries.push({
      transactionId,
      accountId: account.id,
      currency: account.currency,
      amountMinor,
      balanceAfter: account.balance,
    });
  }

  private keepHold(hold: Hold): void {
    this.holds.set(stepKey(hold.transactionId, hold.step), hold);
    this.holdsOf.set(hold.transactionId, [...(this.holdsOf.get(hold.transactionId) ?? []), hold]);
  }

  private noteChanged(record: TransactionRecord): void {
    if (!this.newTransactions.has(record.id)) this.changedTransactions.set(record.id, record);
  }
}

export function isFrozen({ status, ownerFrozen }: Pick<Account, 'status' | 'ownerFrozen'>): boolean {
  return status === 'frozen' || ownerFrozen;
}

/** What the books answer about a transaction, as it now stands. */
export function outcomeOf(record: TransactionRecord, replayed: boolean): TransactionOutcome {
  return {
    kind: 'transaction',
    id: record.id,
    status: record.status,
    reason: record.reason,
    createdAt: record.createdAt,
    completedAt: record.completedAt,
    replayed,
  };
}

const DECISION_EVENTS = {
  approve: 'approved',
  reject: 'rejected_by_person',
  retry: 'retry_asked',
  cancel: 'cancel_asked',
  resolve: 'resolve_confirmed',
} as const satisfies Record<DecisionKind, string>;
const PROPOSED = 'resolve_proposed';
export const DECISION_EVENT_KINDS = [...Object.values(DECISION_EVENTS), PROPOSED];

/** A decision's place in the chain: its row is checked against this. */
export function eventOfDecision(decision: Omit<DecisionRecord, 'noteSealed' | 'transactionId'>) {
  const { id, kind, actorId, role, outcome, state } = decision;
  return {
    kind: state === 'proposed' ? PROPOSED : DECISION_EVENTS[kind],
    detail: { ...toldBy({ actorId, role }), id, kind, ...(outcome !== null && { outcome }) },
  };
}
