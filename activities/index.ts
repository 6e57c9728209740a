import type { Client } from '@temporalio/client';
import type { GroupPosts } from '../ledger/group-posts';
import type { Logger } from '../ledger/log';
import type { Shards } from '../ledger/shards';
import { sweepActivities } from './sweep';
import { transferActivities } from './transfers';

export interface ActivityDeps {
  shards: Shards;
  client: Client;
  log: Logger;
  groupPosts: GroupPosts;
}

/** Every side effect workflows may ask for; each is safe to run again. */
export function createActivities(deps: ActivityDeps) {
  return { ...transferActivities(deps), ...sweepActivities(deps) };
}

export type Activities = ReturnType<typeof createActivities>;
