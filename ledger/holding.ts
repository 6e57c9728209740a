import type { Account, Draft, Hold, TransactionRecord } from './books';
import type { Command } from './commands';
import { count, rejectPastLimit, uncount } from './limiting';
import { balanceBank, canReceive, checked, houseId, refuseSpending } from './moving';

type CommandOf<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

export function hold(draft: Draft, record: TransactionRecord, source: Account, command: CommandOf<'hold'>): void {
  const refusal = refuseSpending(source, command.facts.amountMinor);
  if (refusal) return draft.setStatus(record, 'rejected', refusal);
  if (rejectPastLimit(draft, record, source)) return;
  reserve(draft, record, source, command);
}

/** Holds the money, whatever the limits. */
export function reserve(draft: Draft, record: TransactionRecord, source: Account, command: CommandOf<'hold'>): void {
  const { amountMinor } = command.facts;
  count(draft, record, source);
  draft.setOwner(record, command.owner);
  draft.reserve(source, amountMinor);
  draft.addHold({
    transactionId: record.id,
    step: command.step,
    accountId: source.id,
    amountMinor,
    status: 'held',
    expiresAt: command.expiresAt ?? null,
    at: draft.at,
    block: draft.block,
  });
  draft.addStep(record.id, command.step, 'done');
  draft.note(record.id, 'held', { step: command.step });
  if (command.status === 'awaiting_approval' && needsApproval(draft, record)) {
    draft.setStatus(record, 'awaiting_approval', null);
  }
}

/** Somebody may have approved what was pended before its hold came. */
function needsApproval(draft: Draft, record: TransactionRecord): boolean {
  const approved = draft.decisionsOf(record.id).some(({ kind }) => kind === 'approve');
  return !approved && record.status !== 'awaiting_approval';
}

/** To its own target, or to the house, which passes it on: to another shard, or to the bank. */
export function canCapture(draft: Draft, record: TransactionRecord, source: Account, command: CommandOf<'capture'>) {
  const target = draft.account(command.to);
  return (
    draft.hold(record.id, command.holdStep)?.status === 'held' &&
    target !== undefined &&
    (target.id === record.to || target.kind === 'system') &&
    canReceive(target, source, command.facts) &&
    (command.movedMinor === undefined || target.id === houseId(source.id, '@bank', source.currency))
  );
}

export function capture(draft: Draft, record: TransactionRecord, source: Account, command: CommandOf<'capture'>): void {
  const held = draft.hold(record.id, command.holdStep)!;
  draft.reserve(source, -held.amountMinor);
  draft.move(record.id, source, draft.account(command.to)!, held.amountMinor);
  if (command.movedMinor !== undefined) balanceBank(draft, record, checked(command.movedMinor) - held.amountMinor);
  draft.endHold(held, 'captured');
  draft.addStep(record.id, command.step, 'done');
  draft.setStatus(record, 'completed', null);
}

export function release(draft: Draft, record: TransactionRecord, command: CommandOf<'release'>): void {
  const held = draft.hold(record.id, command.holdStep);
  if (held?.status === 'held') {
    giveBack(draft, record, held);
    if (record.type === 'refund') draft.addRefunded(originalOf(draft, command), record.id, -held.amountMinor);
  } else if (draft.step(record.id, command.holdStep) === undefined) {
    // Nothing to undo yet: make sure that a hold still under way never lands.
    draft.addStep(record.id, command.holdStep, 'tombstone');
  }
  if (command.movedMinor !== undefined) balanceBank(draft, record, checked(command.movedMinor));
  draft.addStep(record.id, command.step, 'done');
  draft.setStatus(record, command.status, command.reason);
}

/** What a refund that never arrived had taken of its original is free again. */
function originalOf(draft: Draft, { facts }: CommandOf<'release'>): TransactionRecord {
  const original = draft.transaction(facts.linkedTo!);
  if (!original) throw new Error(`${facts.linkedTo}, which ${facts.id} refunds, is not on this shard`);
  return original;
}

export function giveBack(draft: Draft, record: TransactionRecord, held: Hold): void {
  const account = draft.account(held.accountId);
  if (!account) throw new Error(`The account ${held.accountId} is not on this shard`);
  draft.reserve(account, -held.amountMinor);
  draft.endHold(held, 'released');
  uncount(draft, record, account, held);
}
