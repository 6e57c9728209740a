import type { GroupPart, ItemResult } from '../contracts/transfers';
import { carryOut } from './carry-out';
import type { Logger } from './log';
import type { Shards } from './shards';

/** Which of the parts that a workflow carries. */
export interface PlaceInGroup {
  workflowId: string;
  part: number;
}

/** Longer than it takes a workflow's first task to come round. */
const KEPT_MS = 5_000;

/**
 * Posts each lane's part of a group once per process, whoever asks first: the lane, as soon as the workflow is durable, or
 * the workflow's own step, which then finds the post done or under way. Should both post, in two processes or after a
 * failure, the books answer the second as they did the first.
 */
export class GroupPosts {
  private readonly posts = new Map<string, Promise<ItemResult[]>>();

  constructor(
    private readonly shards: Shards,
    private readonly log: Logger,
  ) {}

  post({ workflowId, part }: PlaceInGroup, { shard, items }: GroupPart): Promise<ItemResult[]> {
    const key = `${workflowId} ${part}`;
    const known = this.posts.get(key);
    if (known) return known;
    const post = this.postNow(workflowId, shard, items);
    this.posts.set(key, post);
    const forget = () => void this.posts.delete(key);
    // What failed is tried afresh by the next to ask.
    post.then(() => setTimeout(forget, KEPT_MS).unref(), forget);
    return post;
  }

  private async postNow(workflowId: string, shard: number, items: GroupPart['items']): Promise<ItemResult[]> {
    const results = await carryOut(this.shards, shard, items, workflowId);
    results.forEach((result, index) => {
      if (result.status !== 'trouble') return;
      const { id: transactionId, requestId } = items[index]!;
      this.log.warn({ transactionId, requestId, error: result.error }, 'a transfer met an unexpected error');
    });
    return results;
  }
}
