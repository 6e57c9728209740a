import { atLeisure, reachable } from '../ledger/shards';
import { writeSnapshot } from '../ledger/snapshots';
import type { ActivityDeps } from './deps';

export function snapshotActivities({ shards }: ActivityDeps) {
  return {
    /** Undefined when there was none to write. */
    async writeSnapshot(shard: number): Promise<{ block: string; isNewest: boolean } | undefined> {
      const written = await atLeisure(await reachable(shards.shard(shard)), (db) => writeSnapshot(db));
      return written && { ...written, block: `${written.block}` };
    },
  };
}
