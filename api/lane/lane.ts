import { transferWorkflowId, type GroupPart, type ItemResult, type TransferItem } from '../../contracts/transfers';
import type { Command, Outcome } from '../../ledger/commands';
import type { PlaceInGroup } from '../../ledger/group-posts';
import { factsOf, resultOf } from '../../ledger/items';
import { laneGroups, laneQueue } from '../../metrics/instruments';
import { detached, inSpan } from '../../tracing';
import type { Shard } from '../../ledger/shards';
import { LaneRefusal, Ticket, type LaneAnswer } from './answers';
import { MAX_GROUP_BYTES, type Departure, type Departures } from './departures';
import { Gathering } from './gathering';
import type { LanesOptions } from '.';
import type { AnsweredStart, TemporalDoor } from './temporal-door';

const LOOK_AT_DEADLINES_MS = 50;
/** One group at a time makes the largest groups and the fewest workflows; one this slow is overtaken. */
const OVERTAKE_AFTER_MS = 200;

type Group = Ticket[];

const bytesOf = (group: Group) => group.reduce((total, ticket) => total + ticket.bytes, 0);

/**
 * Turns the transfer requests from one shard to another, or within one, into few durable workflows. A request that finds the lane free leaves
 * with the next start; those that come while others are in flight wait and go together. What a client is told is always true: an
 * outcome is Postgres's; pending is a row in Postgres; and a refusal says whether anything was sent.
 */
export class Lane {
  private queue: Ticket[] = [];
  /** Oldest first, so that deadlines need no timer each. */
  private readonly tickets = new Map<string, Ticket>();
  private readonly groups = new Set<Group>();
  /** Groups that the next one waits for, until each is over or steps aside. */
  private readonly leaders = new Map<Group, () => void>();
  private readonly gathering = new Gathering(() => this.pump());
  private deadlineTimer: NodeJS.Timeout | undefined;
  private onIdle: (() => void)[] = [];

  constructor(
    private readonly between: { source: Shard; target: Shard },
    private readonly temporal: TemporalDoor,
    private readonly departures: Departures,
    private readonly options: Pick<LanesOptions, 'settings' | 'log' | 'postGroup'>,
  ) {}

  /** The books' answer, or the pending row's when that takes past the deadline. */
  submit(item: TransferItem): Promise<LaneAnswer> {
    const same = this.tickets.get(item.id);
    if (same) return this.join(same, item, () => this.submit(item));
    const refusal = this.refuseAtTheDoor(1);
    if (refusal) return Promise.reject(refusal);
    const ticket = this.take(item);
    this.pump();
    return ticket.answer;
  }

  /** A ready-made group: each item gets its own answer or refusal, in order. */
  submitAll(items: TransferItem[]): Promise<PromiseSettledResult<LaneAnswer>[]> {
    const refusal = this.refuseAtTheDoor(items.length);
    const answers = items.map((item) => {
      const same = this.tickets.get(item.id);
      if (same) return this.join(same, item, () => this.submit(item));
      return refusal ? Promise.reject<LaneAnswer>(refusal) : this.take(item).answer;
    });
    this.pump();
    return Promise.allSettled(answers);
  }

  /** Written down as pending before anything else, then on its way like the others; its outcome is for later. */
  async defer(item: TransferItem): Promise<LaneAnswer> {
    const same = this.tickets.get(item.id);
    if (same && same.item.hash !== item.hash) return this.join(same, item, () => this.defer(item));
    const refusal = this.refuseAtTheDoor(1);
    if (refusal) throw refusal;
    const written = await this.pendOne(item, same?.workflowId ?? transferWorkflowId(item.id));
    // Nobody waits for it; should it get no further, the sweep starts its own workflow.
    if (written.status === 'pending' && !written.replayed) this.submit(item).catch(() => undefined);
    return written;
  }

  private deliver(group: Group, results: ItemResult[]): void {
    results.forEach((result, index) => {
      const ticket = group[index]!;
      // An item in trouble goes on in a workflow of its own; its request waits until the deadline.
      if (result.status === 'trouble') ticket.workflowId = transferWorkflowId(ticket.item.id);
      else this.settle(ticket, result);
    });
  }

  /** Resolves when every accepted request has its answer; a group whose start is still tried has its rows in Postgres. */
  drain(): Promise<void> {
    if (this.tickets.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.onIdle.push(resolve));
  }

  private refuseAtTheDoor(count: number): LaneRefusal | undefined {
    const { source, target } = this.between;
    const down = [source, target].find(({ poster }) => poster.isDown);
    if (down) {
      void down.poster.probe();
      return new LaneRefusal('shard_unavailable', { shard: down.number });
    }
    if (this.temporal.isShut) return new LaneRefusal('not_started');
    if (this.queue.length + count > this.options.settings.maxQueued) return new LaneRefusal('overloaded');
    return undefined;
  }

  private take(item: TransferItem): Ticket {
    const ticket = new Ticket(item);
    this.tickets.set(item.id, ticket);
    this.queue.push(ticket);
    laneQueue.inc();
    this.gathering.arrive();
    this.deadlineTimer ??= setInterval(() => this.lookAtDeadlines(), LOOK_AT_DEADLINES_MS);
    return ticket;
  }

  private pump(): void {
    if (this.gathering.isOn) return;
    while (
      this.queue.length > 0 &&
      this.leaders.size === 0 &&
      this.groups.size < this.options.settings.groupsInFlight
    ) {
      const group = this.takeGroup();
      void detached(() => this.runTraced(group));
    }
  }

  private takeGroup(): Group {
    let bytes = 0;
    let count = 0;
    while (count < this.queue.length && count < this.options.settings.maxGroup) {
      bytes += this.queue[count]!.bytes;
      if (count > 0 && bytes > MAX_GROUP_BYTES) break;
      count += 1;
    }
    laneQueue.dec(count);
    return this.queue.splice(0, count);
  }

  private runTraced(group: Group): Promise<void> {
    const of = group.map((ticket) => ticket.place);
    return inSpan('lane group', { of, attributes: { transfers: group.length } }, () => this.run(group));
  }

  /** One group from its start until its outcomes are known here, or nobody here waits for them any more. */
  private async run(group: Group): Promise<void> {
    const leftAt = performance.now();
    this.groups.add(group);
    laneGroups.observe(group.length);
    this.standInTheWay(group);
    const part = { shard: this.between.source.number, items: group.map((ticket) => ticket.item) };
    const departure = this.departures.board(part, bytesOf(group));
    const { workflowId } = departure;
    for (const ticket of group) {
      ticket.workflowId = workflowId;
      if (ticket.place.about) ticket.place.about.workflowId = workflowId;
    }
    const start = await this.started(departure, group);
    if (start.kind === 'refused') {
      this.options.log.error({ err: start.error, workflowId }, 'Temporal refused to start a group');
      // A late one may be in Postgres by now, and then it goes on: whoever writes it down answers.
      for (const ticket of group.filter(({ isLate }) => !isLate)) {
        this.refuse(ticket, new LaneRefusal('not_started', { cause: start.error }));
      }
      this.forget(group);
      return;
    }
    const results = await this.postHere(departure, part);
    if (results) {
      this.gathering.begin(group.length, performance.now() - leftAt);
      this.deliver(group, results);
      this.forget(group);
    } else {
      await this.followElsewhere(workflowId, group);
    }
  }

  /** The group is durable: posting it need not wait until its first task has come round. */
  private async postHere(place: PlaceInGroup, part: GroupPart): Promise<ItemResult[] | undefined> {
    try {
      return await this.options.postGroup(place, part);
    } catch (err) {
      const { workflowId } = place;
      this.options.log.warn({ err, workflowId }, 'a group could not be posted at once; its workflow goes on');
      return undefined;
    }
  }

  private async started(departure: Departure, group: Group): Promise<AnsweredStart> {
    const start = await departure.start;
    if (start.kind !== 'unknown') return start;
    const answered = departure.startBehind();
    await this.writeDownAsPending(group);
    return answered;
  }

  /** The workflow, wherever it runs, has to post the group: when it is over, Postgres has the outcomes. */
  private async followElsewhere(workflowId: string, group: Group): Promise<void> {
    try {
      await this.temporal.waitFor(workflowId);
      // What it could not finish has a workflow of its own by now.
      for (const ticket of group) ticket.workflowId = transferWorkflowId(ticket.item.id);
      // Asking to write it down as pending answers what there is, once there is something.
      await this.writeDownAsPending(group);
    } catch (error) {
      this.options.log.warn(
        { err: error, workflowId },
        'a group could not be followed; its requests wait for their deadline',
      );
      await Promise.allSettled(group.map((ticket) => ticket.answer));
    }
    this.forget(group);
  }

  private standInTheWay(group: Group): void {
    const stepAside = () => {
      clearTimeout(timer);
      if (this.leaders.delete(group)) this.pump();
    };
    const timer = setTimeout(stepAside, OVERTAKE_AFTER_MS);
    this.leaders.set(group, stepAside);
  }

  private forget(group: Group): void {
    this.groups.delete(group);
    this.leaders.get(group)?.();
    this.pump();
    this.tellIdle();
  }

  private lookAtDeadlines(): void {
    const now = Date.now();
    const late: Ticket[] = [];
    for (const ticket of this.tickets.values()) {
      if (now - ticket.since < this.options.settings.deadlineMs) break;
      if (ticket.isLate) continue;
      if (ticket.workflowId === undefined) {
        this.refuse(ticket, new LaneRefusal('overloaded'));
      } else {
        ticket.isLate = true;
        late.push(ticket);
      }
    }
    const waiting = this.queue.filter((ticket) => !ticket.settled);
    laneQueue.dec(this.queue.length - waiting.length);
    this.queue = waiting;
    void this.writeDownAsPending(late);
  }

  /** Answers what the books say once the row is there: pending, or already more. */
  private async writeDownAsPending(tickets: Ticket[]): Promise<void> {
    const waiting = tickets.filter((ticket) => !ticket.settled);
    if (waiting.length === 0) return;
    const unknown = (error: unknown) => new LaneRefusal('outcome_unknown', { cause: error });
    try {
      const results = await this.pend(waiting.map(({ item, workflowId }) => ({ item, owner: workflowId! })));
      waiting.forEach((ticket, index) => {
        const result = results[index]!;
        if (result.status === 'trouble') this.refuse(ticket, unknown(result.error));
        else this.settle(ticket, result);
      });
    } catch (error) {
      for (const ticket of waiting) this.refuse(ticket, unknown(error));
    }
  }

  /** One that nobody waits for yet; without an answer of the books it may be there or not. */
  private async pendOne(item: TransferItem, owner: string): Promise<LaneAnswer> {
    try {
      const [result] = await this.pend([{ item, owner }]);
      if (result!.status !== 'trouble') return result!;
      throw new Error(result!.error);
    } catch (error) {
      throw new LaneRefusal('outcome_unknown', { cause: error });
    }
  }

  private async pend(open: { item: TransferItem; owner: string }[]): Promise<ItemResult[]> {
    const commands = open.map(({ item, owner }): Command => ({ kind: 'pend', facts: factsOf(item), owner }));
    const outcomes = await this.between.source.poster.post(commands);
    return outcomes.map((outcome: Outcome, index) => resultOf(open[index]!.item.id, outcome));
  }

  /** The same transfer is under way: one outcome serves both. Another command of that key is told so once it has lost. */
  private async join(ticket: Ticket, item: TransferItem, again: () => Promise<LaneAnswer>): Promise<LaneAnswer> {
    const answer = await ticket.answer;
    if (ticket.item.hash === item.hash) return answer.status === 'conflict' ? answer : { ...answer, replayed: true };
    // The one under way may itself be the one that came too late for its key: the books say.
    return answer.status === 'conflict' ? again() : { id: item.id, status: 'conflict' };
  }

  private settle(ticket: Ticket, answer: LaneAnswer): void {
    // A group that was posted twice, or read back, finds its own row: only one from before the request was there already.
    const isOwn = answer.status !== 'conflict' && Date.parse(answer.createdAt) >= ticket.since;
    ticket.settle(isOwn ? { ...answer, replayed: false } : answer);
    this.leave(ticket);
  }

  private refuse(ticket: Ticket, refusal: LaneRefusal): void {
    if (!ticket.settled) ticket.refuse(refusal);
    this.leave(ticket);
  }

  private leave(ticket: Ticket): void {
    if (this.tickets.get(ticket.item.id) === ticket) this.tickets.delete(ticket.item.id);
    this.tellIdle();
  }

  private tellIdle(): void {
    if (this.tickets.size > 0) return;
    clearInterval(this.deadlineTimer);
    this.deadlineTimer = undefined;
    for (const resolve of this.onIdle.splice(0)) resolve();
  }
}
