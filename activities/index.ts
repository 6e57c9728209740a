import type { Client } from '@temporalio/client';
import type { ItemResult } from '../contracts/transfers';
import type { Logger } from '../ledger/log';
import type { Shards } from '../ledger/shards';
import { sweepActivities } from './sweep';
import { transferActivities } from './transfers';

export interface ActivityDeps {
  shards: Shards;
  client: Client;
  log: Logger;
  /** Hands a group's results to requests that wait in this process, as soon as the books have them. */
  onGroupPosted?: (workflowId: string, results: ItemResult[]) => void;
}

/** Every side effect workflows may ask for; each is safe to run again. */
export function createActivities(deps: ActivityDeps) {
  return { ...transferActivities(deps), ...sweepActivities(deps) };
}

export type Activities = ReturnType<typeof createActivities>;
