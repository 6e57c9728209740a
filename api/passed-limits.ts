import { endOf, type LimitKind, type LimitPeriod } from '../contracts/limits';
import { formatAmount } from '../contracts/money';
import type { ProblemView } from '../contracts/schemas';
import { rejectionsOf } from '../ledger/queries';
import type { Shards } from '../ledger/shards';

type Answered = { id: string; reason?: string | null | undefined };
export type PassedLimits = ReadonlyMap<string, ProblemView['limit']>;

/** Which limit a rejected transaction would have passed, in the words of the books. */
export async function passedLimit(shards: Shards, answer: Answered): Promise<ProblemView['limit']> {
  return (await passedLimits(shards, [answer])).get(answer.id);
}

/** The same of many, which all began on one shard. What can't be read just now is left out: the answer is as true without. */
export async function passedLimits(shards: Shards, answers: readonly Answered[]): Promise<PassedLimits> {
  const ids = answers.flatMap(({ id, reason }) => (reason === 'limit_exceeded' ? id : []));
  if (ids.length === 0) return new Map();
  const rows = await rejectionsOf(shards.forId(ids[0]!)!.db, ids).catch(() => []);
  return new Map(
    rows.map(({ id, type, currency, at, detail }) => [id, viewOf(type as LimitKind, currency, at, detail)]),
  );
}

function viewOf(kind: LimitKind, currency: string, at: Date, detail: string): ProblemView['limit'] {
  const { period, limitMinor, usedMinor } = JSON.parse(detail) as Record<string, string>;
  const amounts = { limit: BigInt(limitMinor!), used: BigInt(usedMinor!) };
  return limitView({ kind, period: period as LimitPeriod, currency, at, ...amounts });
}

export function limitView(of: {
  kind: LimitKind;
  period: LimitPeriod;
  currency: string;
  limit: bigint;
  used: bigint;
  at: Date;
}) {
  const { kind, period, currency, limit, used, at } = of;
  return {
    kind,
    period,
    limit: formatAmount(limit, currency),
    used: formatAmount(used, currency),
    left: formatAmount(used < limit ? limit - used : 0n, currency),
    resetsAt: endOf(period, at).toISOString(),
  };
}
