import { randomUUID } from 'node:crypto';
import { partsOf, type ReconciliationScope } from '../../contracts/reconciliation';
import type { Rail } from '../../bank/rail';
import type { Shards } from '../../ledger/shards';
import { reconcilePart } from '../../reconciliation';
import type { Finding } from '../../reconciliation/batch';
import { findingsOf } from '../../reconciliation/rows';

/** Carries out the parts of a run that are of a scope, or all, and gives what they found. */
export async function reconcile(
  deps: { shards: Shards; rail: Pick<Rail, 'statement'> },
  { scope, youngMs = 0 }: { scope?: ReconciliationScope; youngMs?: number } = {},
): Promise<Finding[]> {
  const { shards } = deps;
  const parts = partsOf(randomUUID(), { shards: shards.count, youngMs }, Date.now());
  const found: Finding[] = [];
  for (const part of parts) {
    if (scope !== undefined && part.scope !== scope) continue;
    await reconcilePart(deps, part, { reached: () => undefined });
    found.push(...(await findingsOf(shards.shard(part.shard).db, part.id)));
  }
  return found;
}
