import { makeMonths } from '../ledger/months';
import type { ActivityDeps } from './deps';

export function monthsActivities({ shards }: ActivityDeps) {
  return {
    makeMonths(shard: number): Promise<string[]> {
      return makeMonths(shards.shard(shard).db);
    },
  };
}
