import type { Client } from '@temporalio/client';
import type { ItemResult, TransferItem, TransferSettings } from '../../contracts/transfers';
import type { Logger } from '../../ledger/log';
import type { Shards } from '../../ledger/shards';
import { Lane } from './lane';
import { TemporalDoor } from './temporal-door';

export { Lane } from './lane';
export { LaneRefusal, type LaneAnswer } from './answers';

export interface LaneSettings {
  /** How long a request may wait for its outcome before it is written down as pending and answered so. */
  deadlineMs: number;
  /** How many requests may wait to be grouped; more are refused. */
  maxQueued: number;
  /** How many transfers one workflow takes. */
  maxGroup: number;
  groupsInFlight: number;
}

/** Posts a group in this process, once its workflow is durable; undefined where that is left to the workflow. */
export type PostGroup = (workflowId: string, shard: number, items: TransferItem[]) => Promise<ItemResult[]> | undefined;

export interface LanesOptions {
  client: Client;
  shards: Shards;
  log: Logger;
  settings: LaneSettings;
  transfers: TransferSettings;
  postGroup: PostGroup;
}

/** One lane a shard. */
export class Lanes {
  private readonly lanes: Lane[];

  constructor(options: LanesOptions) {
    const temporal = new TemporalDoor(options.client, options.transfers, options.log);
    this.lanes = options.shards.all.map((shard) => new Lane(shard, temporal, options));
  }

  forShard(shard: number): Lane {
    return this.lanes[shard]!;
  }

  /** Resolves when everything accepted has its answer. */
  async drain(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.drain()));
  }
}
