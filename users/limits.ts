import type { KindLimits, LimitKind } from '../contracts/limits';
import type { By } from '../ledger/by';
import { writeLimits } from '../ledger/limits';
import { record } from '../ledger/record';
import type { Shard } from '../ledger/shards';

/** With a new version: who has just read the row to move money by the limits before has to read it again. */
const SET_LIMITS = `
  update accounts set limits = coalesce(limits, '{}') || jsonb_build_object($2::text, $3::jsonb), version = version + 1
  where id = $1 and limits -> $2::text is distinct from $3::jsonb returning id`;
const UNSET_LIMITS = `
  update accounts set limits = nullif(limits - $2::text, '{}'), version = version + 1
  where id = $1 and limits -> $2::text is not null returning id`;

/** Gives a wallet limits of its own for a kind, or takes them away. False when they are as asked for already. */
export function changeLimits(
  shard: Shard,
  wallet: { accountId: string; kind: LimitKind; limits: KindLimits | null; noteSealed?: string },
  by: By,
): Promise<boolean> {
  const { accountId, kind, noteSealed } = wallet;
  const limits = wallet.limits && writeLimits(wallet.limits);
  return record(shard, {
    subjectId: accountId,
    event: 'limits_changed',
    detail: { kind, limits, ...(noteSealed !== undefined && { note: noteSealed }) },
    change: limits
      ? { name: 'set-limits', text: SET_LIMITS, values: [accountId, kind, JSON.stringify(limits)] }
      : { name: 'unset-limits', text: UNSET_LIMITS, values: [accountId, kind] },
    ...by,
  });
}
