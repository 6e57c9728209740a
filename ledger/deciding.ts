import { isFinal } from '../contracts/statuses';
import type { DecisionRecord, Draft, TransactionRecord } from './books';
import type { DecisionCommand, DecisionRefusal, DecisionState, Outcome } from './commands';
import { giveBack } from './holding';
import { uncountDeposit } from './limiting';

/** What a person says of a transaction: allowed or not under the lock, written with what it changes, and never altered. */
export function takeDecision(draft: Draft, command: DecisionCommand): Outcome {
  const record = draft.transaction(command.transactionId);
  const earlier = draft.decision(command.id);
  if (earlier && !isSame(earlier, command)) return { kind: 'conflict', id: command.id };
  if (!record) return { kind: 'refused', reason: 'unknown_transaction' };
  if (earlier) return answerOf(earlier, record);
  const standing = standingProposal(draft, command);
  const refusal = refuse(record, command, standing);
  if (refusal) return { kind: 'refused', reason: refusal };
  const needsAnother = command.decision === 'resolve' && standing === undefined;
  const decision = recordOf(command, needsAnother ? 'proposed' : 'final');
  draft.addDecision(decision, command);
  if (command.decision === 'approve') draft.setStatus(record, 'pending', null);
  if (command.decision === 'reject') reject(draft, record);
  return answerOf(decision, record);
}

/** The proposal that this one would confirm. Any other decision since then has done away with it. */
function standingProposal(draft: Draft, command: DecisionCommand): DecisionRecord | undefined {
  const last = draft.decisionsOf(command.transactionId).at(-1);
  return last?.state === 'proposed' && last.outcome === command.outcome ? last : undefined;
}

function refuse(
  record: TransactionRecord,
  command: DecisionCommand,
  standing: DecisionRecord | undefined,
): DecisionRefusal | undefined {
  const isOwn = command.actorId === record.actorId;
  switch (command.decision) {
    case 'approve':
    case 'reject':
      if (record.status !== 'awaiting_approval') return 'not_awaiting_approval';
      return isOwn ? 'own_request' : undefined;
    case 'resolve':
      if (command.outcome === undefined) throw new Error('To resolve a transaction needs an outcome');
      if (record.status !== 'needs_attention') return 'not_in_attention';
      if (isOwn) return 'own_request';
      return standing?.actorId === command.actorId ? 'second_person_needed' : undefined;
    case 'retry':
    case 'cancel':
      return isFinal(record.status) ? 'too_late' : undefined;
  }
}

function reject(draft: Draft, record: TransactionRecord): void {
  const held = draft.heldFor(record.id);
  for (const each of held) giveBack(draft, record, each);
  if (held.length > 0 && draft.step(record.id, 'release') === undefined) draft.addStep(record.id, 'release', 'done');
  uncountDeposit(draft, record);
  draft.setStatus(record, 'cancelled', 'approval_rejected');
}

function recordOf(command: DecisionCommand, state: DecisionState): DecisionRecord {
  return {
    id: command.id,
    transactionId: command.transactionId,
    kind: command.decision,
    actorId: command.actorId,
    role: command.role,
    outcome: outcomeOf(command),
    // A note is sealed anew each time, so it is no part of what makes two decisions the same.
    noteSealed: command.noteSealed ?? null,
    state,
  };
}

function outcomeOf({ decision, outcome }: DecisionCommand) {
  return decision === 'resolve' ? (outcome ?? null) : null;
}

function isSame(earlier: DecisionRecord, command: DecisionCommand): boolean {
  return (
    earlier.transactionId === command.transactionId &&
    earlier.kind === command.decision &&
    earlier.actorId === command.actorId &&
    earlier.outcome === outcomeOf(command)
  );
}

function answerOf({ id, state }: DecisionRecord, { status }: TransactionRecord): Outcome {
  return { kind: 'decision', id, state, status };
}
