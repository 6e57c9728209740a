import { shardOfId } from '../contracts/ids';
import type { Refusal } from '../contracts/statuses';
import { isFrozen, outcomeOf, type Account, type Draft, type TransactionRecord } from './books';
import type { Command, Outcome, TransactionFacts } from './commands';
import { reserve } from './holding';
import { rejectPastLimit } from './limiting';
import { houseId, refuseByOriginal, refuseReceiving, refuseSpending } from './moving';

/** The steps of a transfer between two shards: the hold on the source's, the credit on the target's. */
export const TRY = 'try';
export const RECEIVE = 'receive';

export function crosses({ from, to }: Pick<TransactionFacts, 'from' | 'to'>): boolean {
  return to !== undefined && shardOfId(to) !== shardOfId(from);
}

/** Try: the source's shard can only say that the money is there, and keep it so. */
export function tryTransfer(
  draft: Draft,
  record: TransactionRecord,
  source: Account,
  command: Extract<Command, { kind: 'transfer' }>,
): void {
  const { facts } = command;
  const refusal = refuseByOriginal(draft, record, facts) ?? refuseSpending(source, facts.amountMinor);
  if (refusal) return draft.setStatus(record, 'rejected', refusal);
  if (rejectPastLimit(draft, record, source)) return;
  holdForTransfer(draft, record, source, command);
}

/** What the target's shard is to credit, or has credited. */
export function holdForTransfer(
  draft: Draft,
  record: TransactionRecord,
  source: Account,
  { facts, owner, expiresAt }: Extract<Command, { kind: 'transfer' }>,
): void {
  const whose = record.owner ?? owner;
  if (whose === undefined) throw new Error(`${record.id} goes to another shard and names no owner`);
  reserve(draft, record, source, { kind: 'hold', facts, step: TRY, owner: whose, ...(expiresAt && { expiresAt }) });
  const original = facts.type === 'refund' ? draft.transaction(facts.linkedTo!) : undefined;
  if (original) draft.addRefunded(original, record.id, facts.amountMinor);
}

/**
 * Confirm: the credit on the target's shard, once, unless a tombstone forbids it. A refusal is final too, so that a try
 * which was released can't be credited later. The row is the target's own record of the transfer.
 */
export function receive(draft: Draft, { facts }: Extract<Command, { kind: 'receive' }>): Outcome {
  const known = draft.transaction(facts.id);
  if (known) return known.hash === facts.hash ? outcomeOf(known, true) : { kind: 'conflict', id: facts.id };
  const step = draft.step(facts.id, RECEIVE);
  if (step) return { kind: 'step', transactionId: facts.id, step: RECEIVE, outcome: step };
  const target = draft.account(facts.to!);
  if (!target) throw new Error(`The target account ${facts.to} is not on this shard`);
  const record = draft.open(facts, { incoming: true });
  draft.addStep(record.id, RECEIVE, 'done');
  const refusal = refuseCredit(target, facts);
  if (refusal) {
    draft.setStatus(record, 'rejected', refusal);
  } else {
    give(draft, record, target, facts);
    draft.setStatus(record, 'completed', null);
  }
  return outcomeOf(record, false);
}

/** What came from another shard, from `@clearing` to an account of this one. */
export function give(draft: Draft, record: TransactionRecord, target: Account, facts: TransactionFacts): void {
  const clearing = draft.account(houseId(target.id, '@clearing', facts.currency));
  if (!clearing) throw new Error(`@clearing.${facts.currency} is not on this shard`);
  draft.move(record.id, clearing, target, facts.amountMinor);
  const original = facts.type === 'refund' ? draft.transaction(facts.linkedTo!) : undefined;
  if (original) draft.addRefunded(original, record.id, facts.amountMinor);
}

function refuseCredit(target: Account, facts: TransactionFacts): Refusal | undefined {
  if (isFrozen(target)) return 'wallet_frozen';
  return refuseReceiving({ id: facts.from, currency: facts.currency }, target, facts);
}
