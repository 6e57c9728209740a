import { isFinal } from '../contracts/statuses';
import { outcomeOf, type Draft, type TransactionRecord } from './books';
import { toldBy } from './by';
import type { Command, Outcome, RefusedReason } from './commands';
import { crosses, give, holdForTransfer, RECEIVE, TRY } from './crossing';
import { capture } from './holding';
import { houseId, refuseByOriginal, refuseReceiving, refuseSpending } from './moving';

type Repost = Extract<Command, { kind: 'repost' }>;

const refused = (reason: RefusedReason): Outcome => ({ kind: 'refused', reason });

/** The half of a transfer between shards that a restored shard has lost, and whose other half can't be undone any more. */
export function repost(draft: Draft, command: Repost): Outcome {
  const { facts } = command;
  if (!crosses(facts)) throw new Error(`${facts.id} has no half on another shard`);
  const known = draft.transaction(facts.id);
  if (known && known.hash !== facts.hash) return { kind: 'conflict', id: facts.id };
  if (known && isFinal(known.status)) return outcomeOf(known, true);
  return command.half === 'credit' ? creditAgain(draft, command) : debitAgain(draft, command, known);
}

/** The sender has paid, so it is somebody's: what is promised reaches a frozen wallet, too. */
function creditAgain(draft: Draft, command: Repost): Outcome {
  const { facts } = command;
  const step = draft.step(facts.id, RECEIVE);
  if (step) return { kind: 'step', transactionId: facts.id, step: RECEIVE, outcome: step };
  // A refund that came before its original would not be counted there.
  if (facts.type === 'refund' && !draft.transaction(facts.linkedTo!)) return refused('unknown_transaction');
  const wanted = draft.account(facts.to!);
  const refusal = refuseReceiving({ id: facts.from, currency: facts.currency }, wanted, facts);
  const target = refusal ? draft.account(houseId(facts.to!, '@suspense', facts.currency)) : wanted;
  if (!target) throw new Error(`@suspense.${facts.currency} is not on this shard`);
  const record = draft.open(facts, { incoming: true });
  draft.addStep(record.id, RECEIVE, 'done');
  draft.note(record.id, 'reposted', toldBy(command));
  give(draft, record, target, facts);
  if (refusal) draft.note(record.id, 'in_suspense', { reason: refusal });
  draft.setStatus(record, 'completed', refusal ? 'in_suspense' : null);
  return outcomeOf(record, false);
}

/** The recipient has it, so a refusal ends nothing: what can't be paid now may be paid when it is asked for again. */
function debitAgain(draft: Draft, command: Repost, known: TransactionRecord | undefined): Outcome {
  const { facts } = command;
  const source = draft.account(facts.from);
  if (!source) return refused('unknown_wallet');
  if (source.currency !== facts.currency) throw new Error(`${facts.id} names another currency than its source has`);
  if (draft.holdsMoney(facts.id, TRY)) return refused('step_not_possible');
  const isHeld = draft.hold(facts.id, TRY)?.status === 'held';
  if (!isHeld) {
    const step = draft.step(facts.id, TRY);
    if (step) return { kind: 'step', transactionId: facts.id, step: TRY, outcome: step };
    const refund = { ...facts, to: facts.to! };
    const refusal = refuseByOriginal(draft, refund, facts) ?? refuseSpending(source, facts.amountMinor);
    if (refusal) return refused(refusal);
  }
  const record = known ?? draft.open(facts);
  draft.note(record.id, 'reposted', toldBy(command));
  if (!isHeld) holdForTransfer(draft, record, source, { kind: 'transfer', facts, owner: 'repost' });
  const to = houseId(source.id, '@clearing', facts.currency);
  capture(draft, record, source, { kind: 'capture', facts, step: 'capture', holdStep: TRY, to });
  return outcomeOf(record, false);
}
