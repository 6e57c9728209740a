import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { Activities } from '../activities';
import type { NotifiedShard, NotifyInput } from '../contracts/notifications';

const { collectNotifications, deliverNotifications } = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '30s',
  retry: { maximumAttempts: 2 },
});

/**
 * Writes down whom to tell what, from the events of the books, and sends what is due. Both go on where they stopped: what
 * one run can't do, the next one does, and no payment ever waits for it.
 */
export async function notify(input: NotifyInput): Promise<NotifiedShard[]> {
  const shards = Array.from({ length: input.shards }, (_, shard) => shard);
  const notified = await Promise.all(shards.map(notifyShard));
  setCurrentDetails(notified.map(line).join('\n'));
  return notified;
}

/** One shard that is down does not keep the others waiting. */
async function notifyShard(shard: number): Promise<NotifiedShard> {
  const told: NotifiedShard = { shard, collected: 0, sent: 0, failed: 0, givenUp: 0 };
  try {
    const { collected, due } = await collectNotifications(shard);
    told.collected = collected;
    if (due) Object.assign(told, await deliverNotifications(shard));
  } catch (error) {
    told.error = error instanceof Error ? error.message : String(error);
  }
  return told;
}

function line({ shard, collected, sent, failed, givenUp, error }: NotifiedShard): string {
  const counts = `${collected} collected, ${sent} sent, ${failed} to be tried again, ${givenUp} given up`;
  return `- shard ${shard}: ${counts}${error === undefined ? '' : `; ${error}`}`;
}
