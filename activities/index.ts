import type { Rail } from '../bank/rail';
import type { Client } from '@temporalio/client';
import type { GroupPosts } from '../ledger/group-posts';
import type { Logger } from '../ledger/log';
import type { Owners } from '../worker/owners';
import type { Sealer } from '../ledger/seal';
import type { Shards } from '../ledger/shards';
import { bankActivities } from './bank';
import { creditActivities } from './credits';
import { keyActivities } from './keys';
import { monthsActivities } from './months';
import { paymentActivities } from './payments';
import type { Notifier } from '../notifications/deliver';
import { notifyActivities } from './notify';
import { reconcileActivities } from './reconcile';
import { snapshotActivities } from './snapshots';
import { sweepActivities } from './sweep';
import { transferActivities } from './transfers';

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

/** Every side effect workflows may ask for; each is safe to run again. */
export function createActivities(deps: ActivityDeps) {
  return {
    ...transferActivities(deps),
    ...paymentActivities(deps),
    ...bankActivities(deps),
    ...creditActivities(deps),
    ...sweepActivities(deps),
    ...notifyActivities(deps),
    ...reconcileActivities(deps),
    ...monthsActivities(deps),
    ...snapshotActivities(deps),
    ...keyActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
