import { shardOfId, systemAccountId, type SystemWallet } from '../contracts/ids';
import type { Refusal } from '../contracts/statuses';
import { isFrozen, type Account, type Draft, type TransactionRecord } from './books';
import type { TransactionFacts } from './commands';
import { count, rejectPastLimit } from './limiting';

/** Balances stay well inside Postgres's bigint, whatever is added to them. */
const MAX_BALANCE = 2n ** 62n;

/** A refund, wherever it goes, has to fit into what is left of its original. */
export function refuseByOriginal(draft: Draft, refund: Refund, facts: TransactionFacts): Refusal | undefined {
  if (facts.type !== 'refund') return undefined;
  return refuseRefund(refund, facts.linkedTo === undefined ? undefined : draft.transaction(facts.linkedTo));
}

export function transfer(draft: Draft, record: TransactionRecord, source: Account, facts: TransactionFacts): void {
  const target = targetOf(draft, record, facts);
  if (facts.type === 'adjustment') assertAdjusts(source, target);
  const refusal =
    refuseByOriginal(draft, record, facts) ?? refuseTransfer(source, target, { ...facts, to: record.to ?? undefined });
  if (refusal) return draft.setStatus(record, 'rejected', refusal);
  if (rejectPastLimit(draft, record, source)) return;
  count(draft, record, source);
  draft.move(record.id, source, target!, facts.amountMinor);
  if (facts.type === 'refund') draft.addRefunded(draft.transaction(facts.linkedTo!)!, record.id, facts.amountMinor);
  draft.setStatus(record, 'completed', null);
}

/** As first written down: a name that nobody had then may be somebody's by now. */
function targetOf(draft: Draft, record: TransactionRecord, facts: TransactionFacts): Account | undefined {
  if (record.to !== null && record.to !== facts.to) throw new Error(`${record.id} names another target than its row`);
  return record.to === null ? undefined : draft.account(record.to);
}

function assertAdjusts(source: Account, target: Account | undefined): void {
  const isSuspense = (account: Account) => account.id === houseId(account.id, '@suspense', account.currency);
  const house = [source, target].filter((each) => each?.kind === 'system');
  if (house.length !== 1 || !isSuspense(house[0]!)) throw new Error('An adjustment is between a user and @suspense');
}

type Refund = Pick<TransactionRecord, 'from' | 'to' | 'amountMinor' | 'currency'>;

/** A refund undoes a transfer, whole or in part: from who received it, to who sent it. */
function refuseRefund(refund: Refund, original: TransactionRecord | undefined): Refusal | undefined {
  const undoes =
    original?.type === 'transfer' &&
    original.status === 'completed' &&
    original.to === refund.from &&
    original.from === refund.to &&
    original.currency === refund.currency;
  if (!undoes) return 'not_refundable';
  return refund.amountMinor > original.amountMinor - original.refundedMinor ? 'nothing_left' : undefined;
}

function refuseTransfer(source: Account, target: Account | undefined, facts: TransactionFacts): Refusal | undefined {
  const refusal = refuseReceiving(source, target, facts);
  if (refusal) return refusal;
  if (isFrozen(target!)) return 'wallet_frozen';
  return refuseSpending(source, facts.amountMinor);
}

export function refuseReceiving(
  source: Pick<Account, 'id' | 'currency'>,
  target: Account | undefined,
  facts: TransactionFacts,
): Refusal | undefined {
  if (!target) return 'unknown_recipient';
  if (target.id === source.id) return 'same_wallet';
  if (target.currency !== source.currency) return 'currency_mismatch';
  if (target.balance + facts.amountMinor > MAX_BALANCE) return 'balance_limit';
  if (target.status === 'closed') return 'wallet_closed';
  return undefined;
}

/** What was promised by a hold reaches a frozen wallet too, but never a closed one. */
export function canReceive(target: Account, source: Account, facts: TransactionFacts): boolean {
  return refuseReceiving(source, target, facts) === undefined;
}

export function refuseSpending(source: Account, amountMinor: bigint): Refusal | undefined {
  if (source.status === 'closed') return 'wallet_closed';
  if (isFrozen(source)) return 'wallet_frozen';
  // The house's own side may go below zero: it mirrors what users were given.
  if (source.kind === 'user' && source.balance - source.held < amountMinor) return 'insufficient_funds';
  return undefined;
}

/** The money is at the bank already: where its target can't have it, it waits in `@suspense` for a person. */
export function credit(
  draft: Draft,
  record: TransactionRecord,
  source: Account,
  { facts, movedMinor }: { facts: TransactionFacts; movedMinor?: bigint },
): void {
  if (source.id !== houseId(source.id, '@bank', source.currency)) throw new Error('A credit comes from @bank');
  const wanted = targetOf(draft, record, facts);
  const refusal = refuseReceiving(source, wanted, { ...facts, to: record.to ?? undefined });
  const target = refusal ? house(draft, record, '@suspense') : wanted!;
  draft.move(record.id, source, target, facts.amountMinor);
  if (movedMinor !== undefined) balanceBank(draft, record, facts.amountMinor - checked(movedMinor));
  if (refusal) draft.note(record.id, 'in_suspense', { reason: refusal });
  draft.setStatus(record, 'completed', refusal ? 'in_suspense' : null);
}

/** Books what the bank moved for nobody: `intoBank` is below zero when money came to us there. */
export function balanceBank(draft: Draft, record: TransactionRecord, intoBank: bigint): void {
  if (intoBank === 0n) return;
  const [bank, suspense] = [house(draft, record, '@bank'), house(draft, record, '@suspense')];
  if (intoBank > 0n) draft.move(record.id, suspense, bank, intoBank);
  else draft.move(record.id, bank, suspense, -intoBank);
}

export function checked(movedMinor: bigint): bigint {
  if (movedMinor < 0n) throw new Error('The bank never moves less than nothing');
  return movedMinor;
}

function house(draft: Draft, { from, currency }: TransactionRecord, wallet: SystemWallet): Account {
  const id = houseId(from, wallet, currency);
  const account = draft.account(id);
  if (!account) throw new Error(`The account ${id} is not on this shard`);
  return account;
}

/** The house's account on the shard of another account. */
export function houseId(accountId: string, wallet: SystemWallet, currency: string): string {
  return systemAccountId(shardOfId(accountId)!, wallet, currency);
}
