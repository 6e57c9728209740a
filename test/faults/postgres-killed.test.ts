import { checkBooks } from '../support/final-checks';
import { Load, makeWishes } from '../support/load';
import { makePeople } from '../support/people';
import { report } from '../support/report';
import { Stack } from '../support/stack';

describe.each([2, 8])('on %i shards', (shards) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ shards });
  });
  afterAll(() => stack?.stop());

  test('Postgres killed in mid-load and started again: every key ends as one transaction, and sums hold', async () => {
    const people = await makePeople(stack, 50);
    const load = new Load({ wishes: makeWishes(people, 1_500), urls: [stack.apis[0]!.url], clients: 64 });
    const running = load.run();

    await load.reached(300);
    await stack.killPostgres();
    await load.met('503 shard_unavailable');
    await stack.startPostgres();
    await load.reached(900);
    // Gone for a moment only: nobody has to notice.
    await stack.killPostgres();
    await stack.startPostgres();

    await running;
    report(load);
    expect(load.wrongs).toEqual([]);
    expect(load.told.size).toBe(1_500);
    await checkBooks(stack, { people, told: load.told });
  });
});
