import { ApplicationFailure } from '@temporalio/common';
import { reachable, type Shard, type Shards } from '../ledger/shards';

/** The shard that an id of ours names. While it is known to be down this fails, and Temporal tries again. */
export async function shardOf(shards: Shards, id: string): Promise<Shard> {
  const shard = shards.forId(id);
  if (!shard) throw ApplicationFailure.nonRetryable(`${id} names no shard of this deployment`);
  return reachable(shard);
}
