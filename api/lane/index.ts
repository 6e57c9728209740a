import type { Client } from '@temporalio/client';
import type { GroupPart, ItemResult, TransferItem, TransferSettings } from '../../contracts/transfers';
import type { PlaceInGroup } from '../../ledger/group-posts';
import type { Logger } from '../../ledger/log';
import type { Shards } from '../../ledger/shards';
import type { LaneAnswer } from './answers';
import { Departures } from './departures';
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
export type PostGroup = (place: PlaceInGroup, part: GroupPart) => Promise<ItemResult[]> | undefined;

export interface LanesOptions {
  client: Client;
  shards: Shards;
  log: Logger;
  settings: LaneSettings;
  transfers: TransferSettings;
  postGroup: PostGroup;
}

/**
 * One lane for each pair of shards that money goes between, most of it within one: so what goes to a shard that is slow,
 * or down, holds up nothing else.
 */
export class Lanes {
  private readonly lanes = new Map<string, Lane>();
  private readonly temporal: TemporalDoor;
  private readonly departures: Departures;

  constructor(private readonly options: LanesOptions) {
    this.temporal = new TemporalDoor(options.client, options.transfers, options.log);
    this.departures = new Departures(this.temporal);
  }

  submit(item: TransferItem): Promise<LaneAnswer> {
    return this.laneOf(item).submit(item);
  }

  defer(item: TransferItem): Promise<LaneAnswer> {
    return this.laneOf(item).defer(item);
  }

  /** Each item gets its own answer or refusal, in order. */
  async submitAll(items: TransferItem[]): Promise<PromiseSettledResult<LaneAnswer>[]> {
    const byLane = new Map<Lane, number[]>();
    items.forEach((item, index) => {
      const lane = this.laneOf(item);
      byLane.set(lane, [...(byLane.get(lane) ?? []), index]);
    });
    const answers: PromiseSettledResult<LaneAnswer>[] = [];
    await Promise.all(
      [...byLane].map(async ([lane, indexes]) => {
        const some = await lane.submitAll(indexes.map((index) => items[index]!));
        some.forEach((answer, n) => (answers[indexes[n]!] = answer));
      }),
    );
    return answers;
  }

  /** Resolves when everything accepted has its answer. */
  async drain(): Promise<void> {
    await Promise.all([...this.lanes.values()].map((lane) => lane.drain()));
  }

  private laneOf(item: TransferItem): Lane {
    const { shards } = this.options;
    const source = shards.forId(item.from)!;
    const target = (item.to === undefined ? undefined : shards.forId(item.to)) ?? source;
    const key = `${source.number} ${target.number}`;
    const lane = this.lanes.get(key) ?? new Lane({ source, target }, this.temporal, this.departures, this.options);
    this.lanes.set(key, lane);
    return lane;
  }
}
