import { randomUUID } from 'node:crypto';
import { createHttpRail } from '../bank/http-rail';
import { partsOf } from '../contracts/reconciliation';
import { SYSTEM } from '../ledger/by';
import { rebuild, repair, type Difference } from '../ledger/rebuild';
import { atLeisure, openShards, type Shard, type Shards } from '../ledger/shards';
import { newestSnapshot, wrongInSnapshot } from '../ledger/snapshots';
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

/**
 * Computes all balances anew, from zero or from the newest snapshot, and what is used of limits, and says which differ;
 * with `repair` sets them right.
 * From zero, the newest snapshot is held against the entries, too. Whether nothing differs any more.
 */
export async function rebuildBooks(
  config: Pick<Config, 'shards'>,
  options: { repair?: boolean; fromSnapshot?: boolean },
  say: Say,
): Promise<boolean> {
  return withShards(config, async (shards) => {
    let wrong = 0;
    for (const shard of shards.all)
      wrong += await atLeisure(shard, (db) => rebuildShard({ ...shard, db }, options, say));
    return wrong === 0;
  });
}

/** How much of it is wrong and stays so. */
async function rebuildShard(
  shard: Shard,
  options: { repair?: boolean; fromSnapshot?: boolean },
  say: Say,
): Promise<number> {
  const newest = await newestSnapshot(shard.db);
  const snapshot = options.fromSnapshot ? newest : 0n;
  let accounts = 0;
  let wrong = 0;
  for await (const slice of rebuild(shard.db, snapshot)) {
    accounts += slice.accounts;
    for (const difference of slice.differences) {
      const isRepaired = options.repair && (await repair(shard, difference, { by: SYSTEM, snapshot }));
      if (!options.repair) wrong += 1;
      say(`${lineOf(difference)}${isRepaired ? ': repaired' : ''}`);
    }
  }
  const since = snapshot === 0n ? 'from zero' : `from the snapshot at block ${snapshot}`;
  say(`shard ${shard.number}: ${accounts} accounts computed anew ${since}`);
  return options.fromSnapshot ? wrong : wrong + (await compareSnapshot(shard.db, newest, say));
}

/** How many accounts had something else at that block than the snapshot says. */
async function compareSnapshot(db: Shard['db'], block: bigint, say: Say): Promise<number> {
  let wrong = 0;
  for await (const { accountId, is, shouldBe } of wrongInSnapshot(db, block)) {
    wrong += 1;
    say(`${accountId} has ${is} in the snapshot at block ${block}; should be ${shouldBe}`);
  }
  return wrong;
}

function lineOf(difference: Difference): string {
  const { accountId } = difference;
  if ('kind' in difference) {
    const { kind, is, shouldBe } = difference;
    return `${accountId} has ${is.day} ${kind} counted today, ${is.month} this month; should be ${shouldBe.day}, ${shouldBe.month}`;
  }
  const { is, shouldBe } = difference;
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
