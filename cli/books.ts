import { randomUUID } from 'node:crypto';
import { createHttpRail } from '../bank/http-rail';
import { partsOf } from '../contracts/reconciliation';
import { SYSTEM } from '../ledger/by';
import { rebuild, repair, type Difference } from '../ledger/rebuild';
import { openShards, type Shards } from '../ledger/shards';
import { giveUpPart, reconcilePart, type ReconciliationDeps } from '../reconciliation';
import { findingsOf } from '../reconciliation/rows';
import type { Config } from './config';

const silent = { info() {}, warn() {}, error() {} };

type Say = (line: string) => void;

/** Reconciles everything in this process, and says what it finds. Whether all of it could be done, and nothing was found. */
export async function reconcileBooks(config: Config, say: Say): Promise<boolean> {
  return withShards(config, async (shards) => {
    const deps = { shards, rail: createHttpRail(config.bank) };
    let isGood = true;
    const { youngMs } = config.reconcile;
    for (const part of partsOf(randomUUID(), { shards: shards.count, youngMs }, Date.now())) {
      isGood = (await reconcileAndSay(deps, part, say)) && isGood;
    }
    return isGood;
  });
}

async function reconcileAndSay(
  deps: ReconciliationDeps,
  part: ReturnType<typeof partsOf>[number],
  say: Say,
): Promise<boolean> {
  const name = part.scope === 'books' ? `books of shard ${part.shard}` : part.scope;
  try {
    const { checked, findings } = await reconcilePart(deps, part, { reached: () => undefined });
    say(`${name}: ${checked} checked, ${findings} findings (${part.id})`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    await giveUpPart(deps, part, why).catch(() => undefined);
    say(`${name}: could not be done: ${why}`);
    return false;
  }
  const findings = await findingsOf(deps.shards.shard(part.shard).db, part.id);
  for (const { kind, subject, detail } of findings) say(`  ${kind} ${subject}: ${detail}`);
  return findings.length === 0;
}

/** Computes all balances anew, and says which differ; with `repair` sets them right. Whether none differs any more. */
export async function rebuildBooks(
  config: Pick<Config, 'shards'>,
  { repair: isRepairing = false }: { repair?: boolean },
  say: Say,
): Promise<boolean> {
  return withShards(config, async (shards) => {
    let wrong = 0;
    for (const shard of shards.all) {
      let accounts = 0;
      for await (const slice of rebuild(shard.db)) {
        accounts += slice.accounts;
        for (const difference of slice.differences) {
          const isRepaired = isRepairing && (await repair(shard, difference, SYSTEM));
          if (!isRepairing) wrong += 1;
          say(`${lineOf(difference)}${isRepaired ? ': repaired' : ''}`);
        }
      }
      say(`shard ${shard.number}: ${accounts} accounts computed anew`);
    }
    return wrong === 0;
  });
}

function lineOf({ accountId, is, shouldBe }: Difference): string {
  return `${accountId} has ${is.balance}, ${is.held} of it held; should be ${shouldBe.balance}, ${shouldBe.held} held`;
}

async function withShards<T>(config: Pick<Config, 'shards'>, work: (shards: Shards) => Promise<T>): Promise<T> {
  const shards = openShards({ urls: config.shards.map(({ url }) => url), log: silent });
  try {
    return await work(shards);
  } finally {
    await shards.close();
  }
}
