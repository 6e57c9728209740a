import {
  LIMIT_PERIODS,
  startOf,
  type DefaultLimits,
  type KindLimits,
  type LimitKind,
  type LimitPeriod,
  type Limits,
} from '../contracts/limits';

/** What of one kind a wallet has moved. */
export interface Counted {
  /** When something was last counted: the sums are those of its day and its month. */
  at: Date;
  day: bigint;
  month: bigint;
  /** The block in which counting began: what came before it is in no sum. */
  since: bigint;
}

/** Of the kinds that have ever had a limit: these are counted for good. */
export type Usage = Partial<Record<LimitKind, Counted>>;

/** As JSON keeps them, which has no whole numbers of this size. */
export type StoredLimits = Partial<Record<LimitKind, Partial<Record<LimitPeriod, string | null>>>>;
export type StoredUsage = Partial<Record<LimitKind, Record<keyof Counted, string>>>;

/** What holds for a wallet and kind: its own where it has one, otherwise the default of its currency. */
export function limitsOf(
  wallet: { currency: string; limits: Limits | null },
  kind: LimitKind,
  defaults: DefaultLimits,
): KindLimits {
  return { ...defaults.get(wallet.currency)?.[kind], ...wallet.limits?.[kind] };
}

/** What counts in the period that a moment is in: nothing, once the period of the sum is over. */
export function usedIn(period: LimitPeriod, counted: Counted | undefined, at: Date): bigint {
  return counted !== undefined && startOf(period, counted.at) >= startOf(period, at) ? counted[period] : 0n;
}

export function readLimits(stored: StoredLimits | null): Limits | null {
  return stored && eachKind(stored, (limits) => eachPeriod(limits, (amount) => amount && BigInt(amount)) as KindLimits);
}

export function writeLimits(limits: KindLimits): Partial<Record<LimitPeriod, string | null>> {
  return eachPeriod(limits, (amount) => amount?.toString() ?? null);
}

export function readUsage(stored: StoredUsage | null): Usage | null {
  return (
    stored &&
    eachKind(stored, ({ at, day, month, since }) => ({
      at: new Date(at),
      day: BigInt(day),
      month: BigInt(month),
      since: BigInt(since),
    }))
  );
}

export function writeUsage(usage: Usage): StoredUsage {
  return eachKind(usage, ({ at, day, month, since }) => ({
    at: at.toISOString(),
    day: `${day}`,
    month: `${month}`,
    since: `${since}`,
  }));
}

function eachKind<From, To>(all: Partial<Record<LimitKind, From>>, turn: (each: From) => To) {
  const entries = Object.entries(all) as [LimitKind, From][];
  return Object.fromEntries(entries.map(([kind, each]) => [kind, turn(each)])) as Partial<Record<LimitKind, To>>;
}

function eachPeriod<From, To>(all: Partial<Record<LimitPeriod, From>>, turn: (each: From) => To) {
  const given = LIMIT_PERIODS.filter((period) => all[period] !== undefined);
  return Object.fromEntries(given.map((period) => [period, turn(all[period]!)])) as Partial<Record<LimitPeriod, To>>;
}
