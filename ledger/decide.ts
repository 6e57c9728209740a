import { shardOfId } from '../contracts/ids';
import { isFinal, type Refusal } from '../contracts/statuses';
import { Draft, outcomeOf, type Account, type Books, type TransactionRecord } from './books';
import type { Command, Outcome, TransactionFacts } from './commands';

/** Balances stay well inside Postgres's bigint, whatever is added to them. */
const MAX_BALANCE = 2n ** 62n;

const NOT_POSSIBLE = { kind: 'refused', reason: 'step_not_possible' } as const;

export interface Decision {
  outcomes: Outcome[];
  draft: Draft;
}

/**
 * All rules of money, and nothing else: given the rows that the commands touch, answers each in turn with what is to be
 * written or why not. Pure: the same books, commands, time and block give the same decision.
 */
export function decide(books: Books, commands: readonly Command[], at: Date, block: bigint): Decision {
  const draft = new Draft(books, at, block);
  return { outcomes: commands.map((command) => answer(draft, command)), draft };
}

function answer(draft: Draft, command: Command): Outcome {
  switch (command.kind) {
    case 'tombstone':
      return tombstone(draft, command);
    case 'freeze':
    case 'unfreeze':
    case 'close':
    case 'reopen':
      return changeWallet(draft, command);
    default:
      return changeTransaction(draft, command);
  }
}

type TransactionCommand = Extract<Command, { facts: TransactionFacts }>;

/** Every command about a transaction first meets what its id already means. */
function changeTransaction(draft: Draft, command: TransactionCommand): Outcome {
  const { facts } = command;
  const known = draft.transaction(facts.id);
  if (known && known.hash !== facts.hash) return { kind: 'conflict', id: facts.id };
  if (known && isFinal(known.status)) return outcomeOf(known, true);
  if ('step' in command) {
    const outcome = draft.step(facts.id, command.step);
    if (outcome) return { kind: 'step', transactionId: facts.id, step: command.step, outcome };
  }
  const source = draft.account(facts.from);
  if (!source) throw new Error(`The source account ${facts.from} is not on this shard`);
  if (source.currency !== facts.currency) throw new Error(`${facts.id} names another currency than its source has`);
  // A transaction has one hold at most, and what it reserved only its own capture or release may end.
  if (command.kind === 'capture' || command.kind === 'release') {
    if (draft.holdsMoney(facts.id, command.holdStep)) return NOT_POSSIBLE;
    if (command.kind === 'capture' && !known) return NOT_POSSIBLE;
  } else if (command.kind === 'hold' || command.kind === 'cancel' || command.kind === 'transfer') {
    if (draft.holdsMoney(facts.id)) return NOT_POSSIBLE;
  }
  const record = known ?? draft.open(facts);

  switch (command.kind) {
    case 'transfer':
      transfer(draft, record, source, facts);
      break;
    case 'pend':
      // One that is known has an owner that will end it.
      if (!known) {
        draft.setOwner(record, command.owner);
        draft.note(record.id, 'pending');
      }
      break;
    case 'cancel':
      draft.setStatus(record, 'cancelled', command.reason);
      break;
    case 'attention':
      draft.setOwner(record, command.owner);
      if (record.status !== 'needs_attention' || record.reason !== command.reason) {
        draft.setStatus(record, 'needs_attention', command.reason, { lastError: command.lastError });
      }
      break;
    case 'hold':
      return hold(draft, record, source, command);
    case 'capture':
      return capture(draft, record, source, command);
    case 'release':
      return release(draft, record, source, command);
  }
  return outcomeOf(record, known !== undefined);
}

function transfer(draft: Draft, record: TransactionRecord, source: Account, facts: TransactionFacts): void {
  // As first written down: a name that nobody had then may be somebody's by now.
  if (record.to !== null && record.to !== facts.to) throw new Error(`${record.id} names another target than its row`);
  const target = record.to === null ? undefined : draft.account(record.to);
  const refusal = refuseTransfer(source, target, { ...facts, to: record.to ?? undefined });
  if (refusal) return draft.setStatus(record, 'rejected', refusal);
  draft.move(record.id, source, target!, facts.amountMinor);
  draft.setStatus(record, 'completed', null);
}

function refuseTransfer(source: Account, target: Account | undefined, facts: TransactionFacts): Refusal | undefined {
  if (!target) {
    const elsewhere = facts.to !== undefined && shardOfId(facts.to) !== shardOfId(facts.from);
    return elsewhere ? 'other_shard' : 'unknown_recipient';
  }
  if (target.id === source.id) return 'same_wallet';
  if (target.currency !== source.currency) return 'currency_mismatch';
  if (target.balance + facts.amountMinor > MAX_BALANCE) return 'balance_limit';
  if (target.status === 'closed') return 'wallet_closed';
  if (target.status === 'frozen') return 'wallet_frozen';
  return refuseSpending(source, facts.amountMinor);
}

/** What was promised by a hold reaches a frozen wallet too, but never a closed one. */
function canReceive(target: Account, source: Account, amountMinor: bigint): boolean {
  return (
    target.id !== source.id &&
    target.currency === source.currency &&
    target.status !== 'closed' &&
    target.balance + amountMinor <= MAX_BALANCE
  );
}

function refuseSpending(source: Account, amountMinor: bigint): Refusal | undefined {
  if (source.status === 'closed') return 'wallet_closed';
  if (source.status === 'frozen') return 'wallet_frozen';
  // The house's own side may go below zero: it mirrors what users were given.
  if (source.kind === 'user' && source.balance - source.held < amountMinor) return 'insufficient_funds';
  return undefined;
}

function hold(
  draft: Draft,
  record: TransactionRecord,
  source: Account,
  command: Extract<Command, { kind: 'hold' }>,
): Outcome {
  const { amountMinor } = command.facts;
  const refusal = refuseSpending(source, amountMinor);
  if (refusal) {
    draft.setStatus(record, 'rejected', refusal);
    return outcomeOf(record, false);
  }
  draft.setOwner(record, command.owner);
  draft.reserve(source, amountMinor);
  draft.addHold({
    transactionId: record.id,
    step: command.step,
    accountId: source.id,
    amountMinor,
    status: 'held',
    expiresAt: command.expiresAt ?? null,
  });
  draft.addStep(record.id, command.step, 'done');
  draft.note(record.id, 'held', { step: command.step });
  return outcomeOf(record, false);
}

function capture(
  draft: Draft,
  record: TransactionRecord,
  source: Account,
  command: Extract<Command, { kind: 'capture' }>,
): Outcome {
  const held = draft.hold(record.id, command.holdStep);
  const target = draft.account(command.to);
  if (held?.status !== 'held' || !target || !canReceive(target, source, held.amountMinor)) return NOT_POSSIBLE;
  draft.reserve(source, -held.amountMinor);
  draft.move(record.id, source, target, held.amountMinor);
  draft.endHold(held, 'captured');
  draft.addStep(record.id, command.step, 'done');
  draft.setStatus(record, 'completed', null);
  return outcomeOf(record, false);
}

function release(
  draft: Draft,
  record: TransactionRecord,
  source: Account,
  command: Extract<Command, { kind: 'release' }>,
): Outcome {
  const held = draft.hold(record.id, command.holdStep);
  if (held?.status === 'held') {
    draft.reserve(source, -held.amountMinor);
    draft.endHold(held, 'released');
  } else if (draft.step(record.id, command.holdStep) === undefined) {
    // Nothing to undo yet: make sure that a hold still under way never lands.
    draft.addStep(record.id, command.holdStep, 'tombstone');
  }
  draft.addStep(record.id, command.step, 'done');
  draft.setStatus(record, 'cancelled', command.reason);
  return outcomeOf(record, false);
}

function tombstone(draft: Draft, command: Extract<Command, { kind: 'tombstone' }>): Outcome {
  const { transactionId, step } = command;
  const earlier = draft.step(transactionId, step);
  if (!earlier) {
    draft.addStep(transactionId, step, 'tombstone');
    draft.note(transactionId, 'tombstone', { step });
  }
  return { kind: 'step', transactionId, step, outcome: earlier ?? 'tombstone' };
}

type WalletCommand = Extract<Command, { accountId: string }>;

function changeWallet(draft: Draft, command: WalletCommand): Outcome {
  const account = draft.account(command.accountId);
  if (!account) throw new Error(`The account ${command.accountId} is not on this shard`);
  const refusal = refuseWalletChange(account, command.kind);
  if (refusal) return { kind: 'refused', reason: refusal };
  const status = command.kind === 'freeze' ? 'frozen' : command.kind === 'close' ? 'closed' : 'open';
  if (account.status !== status) draft.setAccountStatus(account, status, command.actorId);
  return { kind: 'wallet', accountId: account.id, status };
}

function refuseWalletChange(account: Account, kind: WalletCommand['kind']) {
  if (kind === 'close') {
    if (account.status === 'frozen') return 'wallet_frozen';
    if (account.balance !== 0n || account.held !== 0n) return 'wallet_not_empty';
  }
  if (kind === 'freeze' && account.status === 'closed') return 'wallet_closed';
  if (kind === 'unfreeze' && account.status === 'closed') return 'wallet_closed';
  // Reopening is the owner's; only staff lifts a freeze.
  if (kind === 'reopen' && account.status === 'frozen') return 'wallet_frozen';
  return undefined;
}
