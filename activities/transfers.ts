import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ItemOutcome, ItemResult, PostedGroup, TransferItem } from '../contracts/transfers';
import { CONFLICT, transferWorkflowId } from '../contracts/transfers';
import { callOff, carryOut } from '../ledger/carry-out';
import { factsOf, resultOf } from '../ledger/items';
import { reachable, type Shard } from '../ledger/shards';
import type { ActivityDeps } from './deps';
import { shardOf } from './shard-of';

export function transferActivities({ shards, groupPosts }: ActivityDeps) {
  async function one(
    item: TransferItem,
    post: (shard: Shard, owner: string) => Promise<ItemResult>,
  ): Promise<ItemOutcome> {
    const result = await post(await shardOf(shards, item.id), transferWorkflowId(item.id));
    // Neither is an outcome that this workflow may end with.
    if (result.status === 'trouble') throw ApplicationFailure.retryable(result.error, 'Trouble');
    if (result.status === 'conflict')
      throw ApplicationFailure.nonRetryable('The id belongs to another command', CONFLICT);
    return result;
  }

  /** A try whose confirm can't follow would only be made again, at the cost of the source's shard. */
  async function requireTarget({ to }: TransferItem): Promise<void> {
    if (to !== undefined) await shardOf(shards, to);
  }

  return {
    /** The whole part in one commit; what met an unexpected error is named, and did nothing. */
    async postTransfers(shard: number, items: TransferItem[], part = 0): Promise<PostedGroup> {
      await reachable(shards.shard(shard));
      for (const item of items) await requireTarget(item);
      const { workflowId } = activityInfo().workflowExecution!;
      return summary(await groupPosts.post({ workflowId, part }, { shard, items }));
    },

    async postTransfer(item: TransferItem): Promise<ItemOutcome> {
      await requireTarget(item);
      return one(item, async (shard, owner) => (await carryOut(shards, shard.number, [item], owner))[0]!);
    },

    /** Ends the transfer with nothing moved, unless it is too late; one that ended before answers as it did. */
    async cancelTransfer(item: TransferItem): Promise<ItemOutcome> {
      await requireTarget(item);
      return one(item, (shard, owner) => callOff(shards, shard.number, item, owner));
    },

    recordAttention(item: TransferItem, reason: string, lastError: string): Promise<ItemOutcome> {
      return one(item, async (shard, owner) => {
        const facts = factsOf(item);
        const [outcome] = await shard.poster.post([{ kind: 'attention', facts, owner, reason, lastError }]);
        return resultOf(item.id, outcome!);
      });
    },
  };
}

function summary(results: ItemResult[]): PostedGroup {
  const posted: PostedGroup = { completed: 0, rejected: 0, other: 0, trouble: [] };
  for (const result of results) {
    if (result.status === 'trouble') posted.trouble.push({ id: result.id, error: result.error });
    else if (result.status === 'completed' || result.status === 'rejected') posted[result.status] += 1;
    else posted.other += 1;
  }
  return posted;
}
