/** How much a wallet may move in a day and in a month, which begin at midnight UTC. */
export const LIMIT_KINDS = ['transfer', 'withdrawal', 'deposit'] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number];

export const LIMIT_PERIODS = ['day', 'month'] as const;
export type LimitPeriod = (typeof LIMIT_PERIODS)[number];

/** In minor units. `null` is no limit, whatever the default; what is absent is as the default says. */
export type KindLimits = Partial<Record<LimitPeriod, bigint | null>>;
export type Limits = Partial<Record<LimitKind, KindLimits>>;

/** For every wallet of a currency that says nothing else. */
export type DefaultLimits = ReadonlyMap<string, Limits>;

export function startOf(period: LimitPeriod, at: Date): Date {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), period === 'day' ? at.getUTCDate() : 1));
}

/** When the next one begins. */
export function endOf(period: LimitPeriod, at: Date): Date {
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  return new Date(period === 'day' ? Date.UTC(year, month, at.getUTCDate() + 1) : Date.UTC(year, month + 1));
}

export function isSamePeriod(period: LimitPeriod, one: Date, other: Date): boolean {
  return startOf(period, one).getTime() === startOf(period, other).getTime();
}
