import { createHttpRail } from '../bank/http-rail';
import { SYSTEM } from '../ledger/by';
import { createSealer } from '../ledger/seal';
import { openShards } from '../ledger/shards';
import { lostBy, type Lost } from '../reconciliation/lost-rows';
import { forbidCredits, repostHalves, whatOf, type Reposted } from '../reconciliation/repost';
import { tellAgain } from '../reconciliation/tell-again';
import type { Config } from './config';
import { UserError } from './user-error';

const silent = { info() {}, warn() {}, error() {} };

export interface RepostCommand {
  shard: number;
  since: Date;
  dryRun?: boolean;
}

/** Posts again what a restored shard lost, and says what of it. Whether nothing is left for people. */
export async function repostBooks(
  config: Pick<Config, 'shards' | 'bank' | 'reconcile'> &
    Partial<Pick<Config, 'defaultLimits'>> & { secrets: Pick<Config['secrets'], 'sealKeys' | 'commandKey'> },
  { shard, since, dryRun: isDryRun = false }: RepostCommand,
  say: (line: string) => void,
): Promise<boolean> {
  if (shard >= config.shards.length) {
    throw new UserError(`There is no shard ${shard}: they are numbered from 0 to ${config.shards.length - 1}.`);
  }
  const { defaultLimits } = config;
  const shards = openShards({ urls: config.shards.map(({ url }) => url), log: silent, defaultLimits });
  let [done, left] = [0, 0];
  const tell = (each: Reposted) => {
    if (each.done) done += 1;
    else left += 1;
    say(`${each.subject}: ${each.detail}`);
  };
  try {
    const restored = shards.shard(shard);
    const lost = await lostBy(
      restored,
      shards.all.filter((each) => each !== restored),
      since,
    );
    if (isDryRun) wouldPost(lost).forEach(tell);
    else {
      for (const each of await repostHalves(restored, lost.halves, SYSTEM)) tell(each);
      for (const each of await forbidCredits(restored, lost.released)) tell(each);
    }
    const deps = { shards, rail: createHttpRail(config.bank), sealer: createSealer({ shards, ...config.secrets }) };
    const days = { since, until: new Date(), youngMs: config.reconcile.youngMs };
    for await (const each of tellAgain(deps, restored, days, isDryRun)) tell(each);
    say(`shard ${shard}: ${done} ${isDryRun ? 'to be done' : 'done'}, ${left} left for people`);
    return left === 0;
  } finally {
    await shards.close();
  }
}

function wouldPost({ halves, released }: Lost): Reposted[] {
  return [
    ...halves.map((each) => ({ subject: each.item.id, done: true, detail: `${whatOf(each)} would be posted again` })),
    ...released.map((subject) => ({ subject, done: true, detail: 'its credit would be forbidden' })),
  ];
}
