import { heartbeat } from '@temporalio/activity';
import type { RotatedSome, RotationPlace } from '../contracts/keys';
import { reachable } from '../ledger/shards';
import { keepEarlierKeys, rewrapSome } from '../users/rewrapping';
import { resealSome } from '../users/resealing';
import type { ActivityDeps } from './deps';

const AT_ONCE = 100;

export function keyActivities({ shards, sealer }: ActivityDeps) {
  return {
    /** One batch. Each row is only changed as it was read, so doing it again, or beside others, is safe. */
    async rotateSome(at: RotationPlace & { newDataKeys: boolean; since: string }): Promise<RotatedSome> {
      // Tried again until a process has it that may: some may have been started anew, and some not yet.
      if (!sealer.usesDataKeys) throw new Error('HOLDFAST_DATA_KEYS is off in this process');
      const shard = await reachable(shards.shard(at.shard));
      const { after } = at;
      if (at.part === 'keys') return rewrapSome(shard, sealer, { after, limit: AT_ONCE });
      if (after === '') await keepEarlierKeys(shard, sealer);
      const oldKeysAreOf = at.newDataKeys ? new Date(at.since) : undefined;
      return resealSome(shard, sealer, { after, limit: AT_ONCE, oldKeysAreOf, reached: heartbeat });
    },
  };
}
