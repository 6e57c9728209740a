import { searchAttributes, SWEEP_SCHEDULE_ID } from '../../contracts/transfers';
import { checkBooks } from '../support/final-checks';
import { Load, makeWishes } from '../support/load';
import { makePeople } from '../support/people';
import { report } from '../support/report';
import { Stack, until } from '../support/stack';

describe.each([
  { what: 'killed', wiped: false, shards: 2 },
  { what: 'killed and its data wiped', wiped: true, shards: 2 },
  { what: 'killed', wiped: false, shards: 8 },
])('Temporal $what in mid-load and started again, on $shards shards', ({ wiped, shards }) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ shards });
  });
  afterAll(() => stack?.stop());

  test('every key ends as one transaction, and sums hold', async () => {
    const people = await makePeople(stack, 50);
    const load = new Load({ wishes: makeWishes(people, 1_500), urls: [stack.apis[0]!.url], clients: 64 });
    const running = load.run();

    await load.reached(300);
    await stack.killTemporal();
    await load.met('202');
    await load.met('503 not_started');
    if (wiped) {
      stack.wipeTemporal();
      await stack.startStrangeTemporal();
    } else {
      await stack.startTemporal();
    }

    await running;
    report(load);
    expect(load.wrongs).toEqual([]);
    expect(load.told.size).toBe(1_500);
    await checkBooks(stack, { people, told: load.told });
  });

  test('workers see to it that the sweep is scheduled and the search attributes are known', async () => {
    const { connection, schedule } = await stack.client();
    await until('the search attributes', async () => {
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
      return Object.values(searchAttributes).every((name) => name in customAttributes);
    });
    await until('the sweep to run', async () => {
      const found = await schedule
        .getHandle(SWEEP_SCHEDULE_ID)
        .describe()
        .catch(() => undefined);
      return (found?.info.numActionsTaken ?? 0) > 0;
    });
  });
});
