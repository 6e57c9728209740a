import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
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

const BREATH_MS = 250;

/**
 * Books and crossings again and again, under whatever load there is, until it is told to stop, and then once more. What
 * can't be carried out before, since a shard is away, finds nothing; `looks` counts what could.
 */
export async function keepReconciling(
  shards: Shards,
  signal: AbortSignal,
): Promise<{ looks: number; findings: Finding[] }> {
  let looks = 0;
  const findings: Finding[] = [];
  const look = async (scope: ReconciliationScope) => {
    findings.push(...(await reconcile({ shards, rail: NO_BANK }, { scope })));
    looks += 1;
  };
  while (!signal.aborted) {
    for (const scope of ['crossings', 'books'] as const) await look(scope).catch(() => undefined);
    await sleep(BREATH_MS);
  }
  for (const scope of ['crossings', 'books'] as const) await look(scope);
  return { looks, findings };
}

const NO_BANK = { statement: () => Promise.reject(new Error('There is no bank here')) };
