import { Replica, type ReplicaHealth } from '../../ledger/replica';
import { openShards } from '../../ledger/shards';
import type { Config } from '../config';
import { placeOf } from '../place';
import { UserError } from '../user-error';
import { identityAt, type Identity } from './identity';

const log = { info() {}, warn() {}, error() {} };

type Replicated = Required<Pick<Config['shards'][number], 'url' | 'replica'>> & { shard: number };

/** How it stands, asked once. */
export async function lookAtReplica({ shard, url, replica: at }: Replicated): Promise<ReplicaHealth> {
  const shards = openShards({ urls: [url], log, poolSize: 1 });
  const replica = new Replica({ ...at, shard, primary: shards.shard(0).db, log });
  try {
    return await replica.look();
  } finally {
    await replica.close();
    await shards.close();
  }
}

/**
 * Another shard's database can only be a mistake in the settings, and is refused. Everything else may befall a replica while
 * it is in use, and leaves it out.
 */
export async function requireReplica(of: Replicated & { shardCount: number }): Promise<ReplicaHealth> {
  const { shard, shardCount, replica } = of;
  const found = await identityAt(replica.url).catch(() => 'away' as const);
  if (found !== 'away') refuseWrongReplica({ shard, shardCount, url: replica.url }, found);
  return lookAtReplica(of);
}

function refuseWrongReplica(
  { shard, shardCount, url }: { shard: number; shardCount: number; url: string },
  found: Identity | undefined,
): void {
  if (found?.shard === shard && found.shardCount === shardCount) return;
  const what = found ? `shard ${found.shard} of ${found.shardCount}` : 'no shard';
  throw new UserError(
    `The database ${placeOf(url)} is ${what}, but HOLDFAST_REPLICA_URLS calls it the replica of` +
      ` shard ${shard} of ${shardCount}.`,
    'Give the replicas in the order of HOLDFAST_DATABASE_URLS, with an empty place for each shard that has none.',
  );
}

/** As the end of a sentence that begins with the replica. */
export function replicaInWords({ state, blocksBehind, behindMs }: ReplicaHealth): string {
  switch (state) {
    case 'near':
      return blocksBehind === 0 ? 'has all of it' : `is ${blocksBehind} blocks, ${behindMs} ms behind`;
    case 'behind':
      return `is left behind by ${blocksBehind} blocks, ${behindMs} ms`;
    case 'away':
      return 'gives no answer, or not in time';
    case 'no_standby':
      return 'is no standby: it takes writes of its own';
    case 'other_books':
      return 'has other books than the shard';
    case 'unknown':
      return 'can’t be compared, since the shard gives no answer';
  }
}
