import { setTimeout as sleep } from 'node:timers/promises';
import { openShards, type Shards } from '../../ledger/shards';
import { CROSSING_MOMENTS, type CrossingMoment } from '../support/crossing-moments';
import { checkBooks } from '../support/final-checks';
import { Load, makeWishes, type Told, type Wish } from '../support/load';
import { makePeople, silent, type Person } from '../support/people';
import { keepReconciling } from '../support/reconciling';
import { report } from '../support/report';
import { Side } from '../support/side';
import { Stack } from '../support/stack';
import { Wire } from '../support/wire';

const PEOPLE = 48;
const EACH_WAY = 200;
/** Longer than a post waits for its shard: what was begun has to be taken up again by who owns it. */
const AWAY_MS = 4_000;

interface Row {
  moment: CrossingMoment;
  /** The server that the transfers of this moment start from. */
  from: 0 | 1;
  victim: 'from' | 'to';
}

const rowsFrom = (from: Row['from']): Row[] =>
  CROSSING_MOMENTS.flatMap((moment) => (['from', 'to'] as const).map((victim) => ({ moment, from, victim })));

/** What a row is called, and its wishes. */
const named = (rows: Row[]) =>
  rows.map((row, n) => {
    const way = `from server ${row.from} to ${1 - row.from}`;
    const killed = row.victim === 'from' ? 'the first is killed' : 'the second is killed';
    return { ...row, n, what: `${row.moment.name}, ${way}: ${killed}` };
  });

describe.each([
  { count: 2, rows: named([...rowsFrom(0), ...rowsFrom(1)]) },
  { count: 8, rows: named(rowsFrom(0)) },
])('$count shards over two Postgres servers', ({ count, rows }) => {
  let stack: Stack;
  let shards: Shards;
  let wires: Wire[];
  let everybody: Person[];
  let spenders: Person[];
  let sides: [Side, Side];
  let stopLooking = new AbortController();
  let looks = 0;
  let kills = 0;
  const told = new Map<string, Told>();

  beforeAll(async () => {
    stack = await Stack.start({ shards: count, servers: 2, apis: 0, workers: 0 });
    everybody = await makePeople(stack, PEOPLE, 1_000_00n);
    shards = openShards({ urls: stack.appUrls, log: silent, poolSize: 4 });
    wires = await Promise.all(stack.appUrls.map((url) => Wire.to(url)));
    const throughWires = stack.appUrls.map((url, shard) => wires[shard]!.urlOf(url)).join(',');
    await stack.addWorker({ HOLDFAST_DATABASE_URLS: throughWires });
    await stack.addApi({ HOLDFAST_DATABASE_URLS: throughWires });
    const parts = { stack, shards, wires };
    sides = [new Side(0, parts, everybody), new Side(1, parts, everybody)];
    spenders = everybody.filter((_, index) => index % 4 !== 0);
    await freeze(everybody.filter((person) => !spenders.includes(person)));
  });
  afterEach(async () => {
    stopLooking.abort();
    await letAllGo();
  });
  afterAll(async () => {
    await shards?.close();
    await stack?.stop();
    await Promise.all((wires ?? []).map((wire) => wire.close()));
  });

  async function letAllGo(): Promise<void> {
    for (const side of sides) {
      await side.letGo();
      side.hearAgain();
    }
  }

  /** So that what is sent to them is refused by their shard, and given back. */
  async function freeze(people: Person[]): Promise<void> {
    for (const { accountId } of people) {
      await shards.forId(accountId)!.poster.post([{ kind: 'freeze', accountId, actorId: 'us_0_ops' }]);
    }
  }

  function wishesFrom(from: Side, to: Side, name: string): Wish[] {
    const people = from.people.filter((person) => spenders.includes(person));
    return makeWishes(people, EACH_WAY, to.people, name);
  }

  test.each(rows)('$what', async ({ n, moment, from, victim }) => {
    const [source, target] = from === 0 ? sides : ([sides[1], sides[0]] as const);
    const killed = victim === 'from' ? source : target;
    const wishes = wishesFrom(source, target, `there-${n}`);
    const back = wishesFrom(target, source, `back-${n}`);
    const loads: Load[] = [];
    const running: Promise<void>[] = [];
    const start = (wishes: Wish[]) => {
      const load = new Load({ wishes, urls: [stack.apis[0]!.url], clients: wishes.length });
      loads.push(load);
      running.push(load.run());
    };
    stopLooking = new AbortController();
    const looking = keepReconciling(shards, stopLooking.signal);

    await moment.reach({ from: source, to: target, wishes, back, start });
    await killed.server.kill();
    kills += 1;
    await letAllGo();
    await sleep(AWAY_MS);
    await killed.server.start();
    await Promise.all(running);
    stopLooking.abort();
    loads.forEach(report);

    const looked = await looking;
    expect(looked.findings).toEqual([]);
    looks += looked.looks;
    expect(loads.flatMap((load) => load.wrongs)).toEqual([]);
    for (const load of loads) for (const [key, each] of load.told) told.set(key, each);
    expect(wishes.concat(back).filter(({ key }) => !told.has(key))).toEqual([]);
    await checkBooks(stack, { people: everybody, told });
  });

  test('reconciliation looked under the load too, not only after it', () => {
    process.stderr.write(`  ${looks} looks over ${kills} kills\n`);
    expect(looks).toBeGreaterThan(2 * kills);
  });
});
