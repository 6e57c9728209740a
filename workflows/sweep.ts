import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { Activities } from '../activities';
import type { SweepInput, SweptShard } from '../contracts/transfers';

const { sweepShard } = proxyActivities<Activities>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '30s',
  retry: { maximumAttempts: 2 },
});

/**
 * Finds transactions that Postgres calls open and whose workflow is gone, and starts it again. One shard that is down
 * does not keep the others waiting for theirs; the next sweep comes soon.
 */
export async function sweep(input: SweepInput): Promise<SweptShard[]> {
  const shards = Array.from({ length: input.shards }, (_, shard) => shard);
  const swept = await Promise.all(
    shards.map((shard) =>
      sweepShard(shard, input).catch((error: unknown) => ({
        shard,
        looked: 0,
        restarted: 0,
        error: error instanceof Error ? error.message : String(error),
      })),
    ),
  );
  setCurrentDetails(
    swept.map((each) => `- shard ${each.shard}: looked at ${each.looked}, restarted ${each.restarted}`).join('\n'),
  );
  return swept;
}
