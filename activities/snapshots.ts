import { writeSnapshot } from '../ledger/snapshots';
import type { ActivityDeps } from '.';

export function snapshotActivities({ shards }: ActivityDeps) {
  return {
    /** Undefined when there was none to write. */
    async writeSnapshot(shard: number): Promise<{ block: string; isNewest: boolean } | undefined> {
      const written = await writeSnapshot(shards.shard(shard).db);
      return written && { ...written, block: `${written.block}` };
    },
  };
}
