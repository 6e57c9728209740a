import { checkBooks } from '../support/final-checks';
import { Load, makeWishes } from '../support/load';
import { makePeople } from '../support/people';
import { report } from '../support/report';
import { Stack } from '../support/stack';

describe.each([
  { shards: 2, count: 5_000 },
  { shards: 8, count: 2_000 },
])('on $shards shards', ({ shards, count }) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ shards });
  });
  afterAll(() => stack?.stop());

  test('a worker and then the API killed in mid-load lose nothing: every key ends as one transaction, and sums hold', async () => {
    const people = await makePeople(stack, 50);
    const load = new Load({ wishes: makeWishes(people, count), urls: [stack.apis[0]!.url], clients: 64 });
    const running = load.run();

    await load.reached(count * 0.2);
    await stack.workers[0]!.kill();
    await load.reached(count * 0.4);
    await stack.workers[0]!.start();
    await load.reached(count * 0.6);
    await stack.apis[0]!.kill();
    await stack.apis[0]!.start();

    await running;
    report(load);
    expect(load.wrongs).toEqual([]);
    expect(load.told.size).toBe(count);
    await checkBooks(stack, { people, told: load.told });
  });
});
