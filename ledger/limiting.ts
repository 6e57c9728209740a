import { isSamePeriod, LIMIT_PERIODS, type LimitKind, type LimitPeriod } from '../contracts/limits';
import type { TransactionType } from '../contracts/statuses';
import type { Account, Draft, TransactionRecord } from './books';
import { limitsOf, usedIn } from './limits';

/** What a transaction of each type counts as. Refunds, corrections, and what the bank moves by itself, are not limited. */
const KIND_OF: Partial<Record<TransactionType, LimitKind>> = {
  transfer: 'transfer',
  withdrawal: 'withdrawal',
  deposit: 'deposit',
};

/** Rejects a transaction that would take its wallet past a limit. Whether it did. */
export function rejectPastLimit(draft: Draft, record: TransactionRecord, wallet: Account): boolean {
  const kind = kindFor(draft, record, wallet);
  const passed = kind && passedLimit(draft, record, wallet, kind);
  if (passed) draft.setStatus(record, 'rejected', 'limit_exceeded', passed);
  return passed !== undefined;
}

/**
 * Once its money is held or has moved, or a deposit has been asked for, it counts, in the day and the month of that
 * block. A wallet that never had a limit of the kind isn't counted, so that most cost nothing.
 */
export function count(draft: Draft, record: TransactionRecord, wallet: Account): void {
  const kind = kindFor(draft, record, wallet);
  if (!kind) return;
  const before = wallet.used?.[kind];
  if (!before && !isLimited(draft, wallet, kind)) return;
  draft.setUsed(wallet, kind, {
    at: draft.at,
    day: usedIn('day', before, draft.at) + record.amountMinor,
    month: usedIn('month', before, draft.at) + record.amountMinor,
    since: before?.since ?? draft.block,
  });
}

/** What was counted in a block and came to nothing may be moved again, while the day or month of that block goes on. */
export function uncount(
  draft: Draft,
  record: TransactionRecord,
  wallet: Account,
  counted: { at: Date; block: bigint },
): void {
  const kind = kindFor(draft, record, wallet);
  const before = kind && wallet.used?.[kind];
  if (!before || counted.block < before.since) return;
  const left = (period: LimitPeriod) => {
    const rest = before[period] - (isSamePeriod(period, counted.at, before.at) ? record.amountMinor : 0n);
    // A process of a version that doesn't count may have been at work: no count is worth keeping money held for.
    return rest < 0n ? 0n : rest;
  };
  draft.setUsed(wallet, kind, { ...before, day: left('day'), month: left('month') });
}

/** The wallet of a deposit, which takes nothing from anybody, and so counts as soon as it is asked for. */
export function depositedInto(draft: Draft, record: TransactionRecord): Account | undefined {
  if (record.type !== 'deposit' || record.to === null) return undefined;
  const wallet = draft.account(record.to);
  return wallet?.currency === record.currency ? wallet : undefined;
}

/** That it was asked for, its owner says; one that came by itself was never counted. */
export function uncountDeposit(draft: Draft, record: TransactionRecord): void {
  const wallet = record.owner === null ? undefined : depositedInto(draft, record);
  if (wallet) uncount(draft, record, wallet, { at: record.createdAt, block: record.createdBlock });
}

function kindFor(draft: Draft, record: TransactionRecord, wallet: Account): LimitKind | undefined {
  const mayCount = wallet.limits !== null || wallet.used !== null || draft.defaultLimits.size > 0;
  return mayCount && wallet.kind === 'user' ? KIND_OF[record.type] : undefined;
}

function passedLimit(draft: Draft, record: TransactionRecord, wallet: Account, kind: LimitKind) {
  const limits = limitsOf(wallet, kind, draft.defaultLimits);
  for (const period of LIMIT_PERIODS) {
    const limitMinor = limits[period] ?? null;
    const usedMinor = usedIn(period, wallet.used?.[kind], draft.at);
    if (limitMinor !== null && usedMinor + record.amountMinor > limitMinor) {
      return { period, limitMinor: limitMinor.toString(), usedMinor: usedMinor.toString() };
    }
  }
  return undefined;
}

function isLimited(draft: Draft, wallet: Account, kind: LimitKind): boolean {
  const limits = limitsOf(wallet, kind, draft.defaultLimits);
  return LIMIT_PERIODS.some((period) => typeof limits[period] === 'bigint');
}
