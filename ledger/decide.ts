import { isFinal, type TransactionType } from '../contracts/statuses';
import { toldBy } from './by';
import { Draft, isFrozen, outcomeOf, type Account, type Books, type TransactionRecord } from './books';
import type { Command, Outcome, RecordCommand, TransactionFacts } from './commands';
import { crosses, receive, TRY, tryTransfer } from './crossing';
import { takeDecision } from './deciding';
import { canCapture, capture, hold, release } from './holding';
import { count, depositedInto, rejectPastLimit, uncountDeposit } from './limiting';
import { balanceBank, checked, credit, transfer } from './moving';
import { repost } from './reposting';

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
    case 'record':
      return record(draft, command);
    case 'decision':
      return takeDecision(draft, command);
    case 'receive':
      return receive(draft, command);
    case 'repost':
      return repost(draft, command);
    default:
      return changeTransaction(draft, command);
  }
}

/** Whether `@bank` or `@suspense` may be touched by it besides the accounts that it names. */
export function mayMoveHouse(command: Command): boolean {
  return command.kind === 'credit' || ('movedMinor' in command && command.movedMinor !== undefined);
}

/** Whether the answer depends on what people have decided before. */
export function needsDecisions(command: Command): boolean {
  return command.kind === 'decision' || (command.kind === 'hold' && command.status === 'awaiting_approval');
}

type TransactionCommand = Exclude<Extract<Command, { facts: TransactionFacts }>, { kind: 'receive' | 'repost' }>;

/** Every command about a transaction first meets what its id already means. */
function changeTransaction(draft: Draft, command: TransactionCommand): Outcome {
  const { facts } = command;
  const known = draft.transaction(facts.id);
  if (known && known.hash !== facts.hash) return { kind: 'conflict', id: facts.id };
  if (known && isFinal(known.status)) return outcomeOf(known, true);
  if ('step' in command) {
    const outcome = draft.step(facts.id, command.step);
    if (outcome === 'done' && known) return outcomeOf(known, true);
    if (outcome) return { kind: 'step', transactionId: facts.id, step: command.step, outcome };
  }
  // To another shard: tried before, and still on its way.
  if (command.kind === 'transfer' && draft.hold(facts.id, TRY)?.status === 'held') return outcomeOf(known!, true);
  const source = draft.account(facts.from);
  if (!source) throw new Error(`The source account ${facts.from} is not on this shard`);
  if (source.currency !== facts.currency) throw new Error(`${facts.id} names another currency than its source has`);
  if (!isPossible(draft, command, known, source)) return NOT_POSSIBLE;
  const record = known ?? draft.open(facts);
  apply(draft, record, source, command);
  return outcomeOf(record, known !== undefined);
}

type Moving = 'transfer' | 'credit' | 'hold';

/** What each type's money is moved by, and by nothing else: only a transfer knows what a refund may give back. */
const MOVED_BY: Record<TransactionType, readonly Moving[]> = {
  transfer: ['transfer', 'hold'],
  opening: ['transfer'],
  deposit: ['credit'],
  withdrawal: ['hold'],
  refund: ['transfer'],
  reversal: ['credit'],
  adjustment: ['transfer'],
};

function isMoving(kind: Command['kind']): kind is Moving {
  return kind === 'transfer' || kind === 'credit' || kind === 'hold';
}

/** A transaction has one hold at most, and what it reserved only its own capture or release may end. */
function isPossible(
  draft: Draft,
  command: TransactionCommand,
  known: TransactionRecord | undefined,
  source: Account,
): boolean {
  const { id, type } = command.facts;
  if (isMoving(command.kind) && !MOVED_BY[type].includes(command.kind)) return false;
  switch (command.kind) {
    case 'transfer':
      // Staff's word alone moves nobody's money: it was written down, and approved where that was needed.
      if (type === 'adjustment' && !known) return false;
      return known?.status !== 'awaiting_approval' && !draft.holdsMoney(id);
    case 'credit':
      return known?.status !== 'awaiting_approval' && !draft.holdsMoney(id);
    case 'hold':
      return !draft.holdsMoney(id);
    case 'cancel':
      if (command.onlyWhile !== undefined && known?.status !== command.onlyWhile) return false;
      return !draft.holdsMoney(id) && (command.movedMinor === undefined || source.kind === 'system');
    case 'capture':
      if (!known || known.status === 'awaiting_approval') return false;
      return !draft.holdsMoney(id, command.holdStep) && canCapture(draft, known, source, command);
    case 'release':
      if (command.onlyWhile !== undefined && known?.status !== command.onlyWhile) return false;
      return !draft.holdsMoney(id, command.holdStep);
    case 'resume':
      return known !== undefined;
    case 'pend':
    case 'attention':
      return true;
  }
}

function apply(draft: Draft, record: TransactionRecord, source: Account, command: TransactionCommand): void {
  switch (command.kind) {
    case 'transfer':
      return crosses(command.facts)
        ? tryTransfer(draft, record, source, command)
        : transfer(draft, record, source, command.facts);
    case 'credit':
      return credit(draft, record, source, command);
    case 'pend':
      return pend(draft, record, command);
    case 'cancel':
      if (command.movedMinor !== undefined) balanceBank(draft, record, -checked(command.movedMinor));
      uncountDeposit(draft, record);
      return draft.setStatus(record, command.status ?? 'cancelled', command.reason);
    case 'attention':
      return askForAttention(draft, record, command);
    case 'resume':
      if (record.status === 'needs_attention') draft.setStatus(record, 'pending', null);
      return;
    case 'hold':
      return hold(draft, record, source, command);
    case 'capture':
      return capture(draft, record, source, command);
    case 'release':
      return release(draft, record, command);
  }
}

function pend(draft: Draft, record: TransactionRecord, command: Extract<Command, { kind: 'pend' }>): void {
  // One that is known has an owner that will end it.
  if (record.owner !== null) return;
  const wallet = depositedInto(draft, record);
  if (wallet && rejectPastLimit(draft, record, wallet)) return;
  if (wallet) count(draft, record, wallet);
  draft.setOwner(record, command.owner);
  if (command.status === 'awaiting_approval') draft.setStatus(record, command.status, null);
  else draft.note(record.id, 'pending');
}

function askForAttention(
  draft: Draft,
  record: TransactionRecord,
  command: Extract<Command, { kind: 'attention' }>,
): void {
  const wallet = record.owner === null ? depositedInto(draft, record) : undefined;
  if (wallet) count(draft, record, wallet);
  draft.setOwner(record, command.owner);
  // What waits for a person's approval has one's attention, and must not go on without it.
  if (record.status === 'awaiting_approval') return;
  if (record.status === 'needs_attention' && record.reason === command.reason) return;
  draft.setStatus(record, 'needs_attention', command.reason, { lastError: command.lastError });
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

function record(draft: Draft, command: RecordCommand): Outcome {
  if (draft.isUnchanged(command)) return { kind: 'refused', reason: 'unchanged' };
  draft.note(command.subjectId, command.event, { ...toldBy(command), ...command.detail });
  return { kind: 'recorded' };
}

type WalletCommand = Extract<Command, { accountId: string }>;

function changeWallet(draft: Draft, command: WalletCommand): Outcome {
  const account = draft.account(command.accountId);
  if (!account) throw new Error(`The account ${command.accountId} is not on this shard`);
  const refusal = refuseWalletChange(account, command.kind);
  if (refusal) return { kind: 'refused', reason: refusal };
  const status = command.kind === 'freeze' ? 'frozen' : command.kind === 'close' ? 'closed' : 'open';
  if (account.status !== status) draft.setAccountStatus(account, status, command);
  return { kind: 'wallet', accountId: account.id, status };
}

function refuseWalletChange(account: Account, kind: WalletCommand['kind']) {
  if (kind === 'close') {
    if (isFrozen(account)) return 'wallet_frozen';
    if (account.balance !== 0n || account.held !== 0n) return 'wallet_not_empty';
  }
  if (kind === 'freeze' && account.status === 'closed') return 'wallet_closed';
  if (kind === 'unfreeze' && account.status === 'closed') return 'wallet_closed';
  // Reopening is the owner's; only staff lifts a freeze.
  if (kind === 'reopen' && isFrozen(account)) return 'wallet_frozen';
  return undefined;
}
