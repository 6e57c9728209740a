import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { Activities } from '../activities';
import type { SnapshotsInput, SnapshotsOfShard } from '../contracts/snapshots';
import { rootMessage } from './failures';

const { writeSnapshot } = proxyActivities<Activities>({
  startToCloseTimeout: '11 minutes',
  retry: { maximumInterval: '1 minute', maximumAttempts: 10 },
});

/** Every shard's snapshots up to its newest block. One shard that is down does not keep the others from theirs. */
export async function writeSnapshots({ shards }: SnapshotsInput): Promise<SnapshotsOfShard[]> {
  const numbers = Array.from({ length: shards }, (_, shard) => shard);
  const all = await Promise.all(numbers.map(ofShard));
  setCurrentDetails(all.map(line).join('\n'));
  return all;
}

async function ofShard(shard: number): Promise<SnapshotsOfShard> {
  const done: SnapshotsOfShard = { shard, blocks: [] };
  try {
    for (let isNewest = false; !isNewest;) {
      const snapshot = await writeSnapshot(shard);
      if (snapshot) done.blocks.push(snapshot.block);
      isNewest = snapshot?.isNewest ?? true;
    }
  } catch (error) {
    done.error = rootMessage(error);
  }
  return done;
}

function line({ shard, blocks, error }: SnapshotsOfShard): string {
  const what = blocks.length > 0 ? `wrote one at block ${blocks.join(', ')}` : 'nothing was posted since the last';
  return `- shard ${shard}: ${error ?? what}`;
}
