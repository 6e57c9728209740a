import { heartbeat } from '@temporalio/activity';
import type { Collected, Delivered } from '../contracts/notifications';
import { collect } from '../notifications/collect';
import { deliver } from '../notifications/deliver';
import { isAnyDue } from '../notifications/outbox';
import type { ActivityDeps } from './deps';

/** How long one run goes on with a backlog; the next run comes soon. */
const RUN_MS = 10_000;

export function notifyActivities({ shards, notifier }: ActivityDeps) {
  const configured = () => {
    if (!notifier) throw new Error('This process was given no channels to tell people by');
    return notifier;
  };
  return {
    async collectNotifications(shard: number): Promise<Collected> {
      const { channels } = configured();
      const collected = await collect(shards.shard(shard), channels, forAWhile());
      const names = channels.map(({ name }) => name);
      return { collected, due: await isAnyDue(shards.shard(shard).db, names) };
    },

    deliverNotifications(shard: number): Promise<Delivered> {
      return deliver(shards.shard(shard).db, configured(), forAWhile());
    },
  };
}

function forAWhile(): () => boolean {
  const until = Date.now() + RUN_MS;
  return () => {
    heartbeat();
    return Date.now() < until;
  };
}
