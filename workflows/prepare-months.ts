import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { Activities } from '../activities';
import type { MonthsInput, MonthsOfShard } from '../contracts/months';
import { rootMessage } from './failures';

const { makeMonths } = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  retry: { maximumInterval: '1 minute', maximumAttempts: 10 },
});

/**
 * Sees to it that the tables of entries and events are there before their month begins. One shard that is down does not
 * keep the others from theirs; the next run comes long before anything is missing.
 */
export async function prepareMonths({ shards }: MonthsInput): Promise<MonthsOfShard[]> {
  const numbers = Array.from({ length: shards }, (_, shard) => shard);
  const prepared = await Promise.all(numbers.map(prepareShard));
  setCurrentDetails(prepared.map(line).join('\n'));
  return prepared;
}

async function prepareShard(shard: number): Promise<MonthsOfShard> {
  try {
    return { shard, made: await makeMonths(shard) };
  } catch (error) {
    return { shard, made: [], error: rootMessage(error) };
  }
}

function line({ shard, made, error }: MonthsOfShard): string {
  const what = made.length > 0 ? `made ${made.join(', ')}` : 'made nothing';
  return `- shard ${shard}: ${error ?? what}`;
}
