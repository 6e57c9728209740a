import type { Wish } from './load';
import type { Side } from './side';
import { until } from './stack';

/** Transfers from one side to the other, and others the other way, to be on their way at the same time. */
export interface Crossing {
  from: Side;
  to: Side;
  /** Those whose moment it is. */
  wishes: Wish[];
  back: Wish[];
  /** Each begins to ask for all of its wishes at once. */
  start(wishes: Wish[]): void;
}

/** Where transfers between two sides are when one of them is killed, and how they are brought there. */
export interface CrossingMoment {
  name: string;
  reach(crossing: Crossing): Promise<void>;
}

const sum = (counts: number[]) => counts.reduce((all, each) => all + each, 0);

export const CROSSING_MOMENTS: CrossingMoment[] = [
  {
    name: 'before the try there, after the try back',
    async reach({ from, to, wishes, back, start }) {
      await from.hold();
      start(wishes);
      start(back);
      await from.isWaitedFor();
      await until('all to be tried that go back', async () => sum(await to.tried(back)) === back.length);
    },
  },
  {
    name: 'confirmed, and the answer lost',
    async reach(crossing) {
      const { to, wishes, back, start } = crossing;
      await reachTried(crossing);
      to.loseCommits();
      await to.letGo();
      await until('some to be credited on each shard', async () => (await to.received(wishes)).every((n) => n > 0));
      start(back);
    },
  },
  {
    name: 'confirmed, before the capture or release',
    async reach(crossing) {
      await reachConfirmed(crossing);
      crossing.start(crossing.back);
    },
  },
  {
    name: 'captured or released, and the answer lost',
    async reach(crossing) {
      const { from, wishes, back, start } = crossing;
      await reachConfirmed(crossing);
      from.loseCommits();
      await from.letGo();
      await until('some to end on each shard', async () => (await from.ended(wishes)).every((n) => n > 0));
      start(back);
    },
  },
];

/** All are held for, and none can be confirmed. */
async function reachTried({ from, to, wishes, start }: Crossing): Promise<void> {
  await to.hold();
  start(wishes);
  await until('all to be tried', async () => sum(await from.tried(wishes)) === wishes.length);
  await to.isWaitedFor();
}

/** All are credited or refused, and none can be captured or released. */
async function reachConfirmed(crossing: Crossing): Promise<void> {
  const { from, to, wishes } = crossing;
  await reachTried(crossing);
  await from.hold();
  await to.letGo();
  await until('all to be confirmed', async () => sum(await to.received(wishes)) === wishes.length);
  await from.isWaitedFor();
}
