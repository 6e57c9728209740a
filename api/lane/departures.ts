import { randomUUID } from 'node:crypto';
import { groupWorkflowId, type GroupPart } from '../../contracts/transfers';
import type { PlaceInGroup } from '../../ledger/group-posts';
import { here, under, type Place } from '../../tracing';
import type { AnsweredStart, Start, TemporalDoor } from './temporal-door';

/** Temporal refuses payloads past 2 MB; this leaves room for what wraps them. */
export const MAX_GROUP_BYTES = 1_000_000;
/** A start that takes this long is waited for no more. */
const START_OVERTAKEN_AFTER_MS = 50;

/** Where a lane's transfers go, and what came of the workflow's start. */
export interface Departure extends PlaceInGroup {
  start: Promise<Start>;
  /** The same start, tried until it is answered. */
  startBehind(): Promise<AnsweredStart>;
}

interface Group {
  workflowId: string;
  parts: GroupPart[];
  bytes: number;
  /** What each part is done for. */
  places: Place[];
  start: Promise<Start>;
  leave(): void;
  behind?: Promise<AnsweredStart>;
}

/**
 * The lanes of this process share their workflows: what is ready while a start is under way waits for it, and then goes
 * together. So however many lanes there are, one between each two shards, Temporal has no more to do.
 */
export class Departures {
  /** What the next workflow takes. */
  private next: Group | undefined;
  private underWay = 0;

  constructor(private readonly temporal: TemporalDoor) {}

  board(part: GroupPart, bytes: number): Departure {
    if (this.next && this.next.bytes + bytes > MAX_GROUP_BYTES) this.leave();
    const group = (this.next ??= this.newGroup());
    group.bytes += bytes;
    group.places.push(here());
    const place = group.parts.push(part) - 1;
    // Whatever else is ready in this moment comes along.
    if (place === 0 && this.underWay === 0) queueMicrotask(() => this.next === group && this.leave());
    return {
      workflowId: group.workflowId,
      part: place,
      start: group.start,
      startBehind: () => (group.behind ??= this.temporal.startBehind(group.workflowId, group.parts)),
    };
  }

  private newGroup(): Group {
    let leave!: () => void;
    const left = new Promise<void>((resolve) => (leave = resolve));
    const group: Group = {
      workflowId: groupWorkflowId(randomUUID()),
      parts: [],
      bytes: 0,
      places: [],
      start: left.then(() => under(group.places, () => this.temporal.start(group.workflowId, group.parts))),
      leave,
    };
    return group;
  }

  private leave(): void {
    const group = this.next;
    if (!group) return;
    this.next = undefined;
    this.underWay += 1;
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      this.underWay -= 1;
      if (this.underWay === 0) this.leave();
    };
    const timer = setTimeout(over, START_OVERTAKEN_AFTER_MS);
    void group.start.finally(over);
    group.leave();
  }
}
