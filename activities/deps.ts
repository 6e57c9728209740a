import type { Client } from '@temporalio/client';
import type { Rail } from '../bank/rail';
import type { GroupPosts } from '../ledger/group-posts';
import type { Logger } from '../ledger/log';
import type { Sealer } from '../ledger/seal';
import type { Shards } from '../ledger/shards';
import type { Notifier } from '../notifications/deliver';
import type { Owners } from '../worker/owners';

/** What the side effects are made with. */
export interface ActivityDeps {
  shards: Shards;
  client: Client;
  log: Logger;
  groupPosts: GroupPosts;
  rail: Rail;
  owners: Owners;
  sealer: Sealer;
  /** Only where people are told what happened: not in a process of the API. */
  notifier?: Notifier;
}
