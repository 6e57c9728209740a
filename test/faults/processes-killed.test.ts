import { checkBooks } from '../support/final-checks';
import { Load, makeWishes } from '../support/load';
import { makePeople } from '../support/people';
import { report } from '../support/report';
import { Stack } from '../support/stack';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
});
afterAll(() => stack?.stop());

test('a worker and then the API killed in mid-load lose nothing: every key ends as one transaction, and sums hold', async () => {
  const people = await makePeople(stack, 50);
  const load = new Load({ wishes: makeWishes(people, 5_000), urls: [stack.apis[0]!.url], clients: 64 });
  const running = load.run();

  await load.reached(1_000);
  await stack.workers[0]!.kill();
  await load.reached(2_000);
  await stack.workers[0]!.start();
  await load.reached(3_000);
  await stack.apis[0]!.kill();
  await stack.apis[0]!.start();

  await running;
  report(load);
  expect(load.wrongs).toEqual([]);
  expect(load.told.size).toBe(5_000);
  await checkBooks(stack, { people, told: load.told });
});
