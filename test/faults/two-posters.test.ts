import { checkBooks } from '../support/final-checks';
import { Load, makeWishes } from '../support/load';
import { makePeople } from '../support/people';
import { report } from '../support/report';
import { Stack } from '../support/stack';

let stack: Stack;
beforeEach(async () => {
  stack = await Stack.start({ apis: 2 });
});
afterEach(() => stack?.stop());

test('a poster frozen in mid-load and thawed later neither stops the other one nor posts anything twice', async () => {
  const people = await makePeople(stack, 50);
  const urls = stack.apis.map(({ url }) => url);
  const load = new Load({ wishes: makeWishes(people, 3_000), urls, clients: 64, timeoutMs: 6_000 });
  const running = load.run();

  // More than once, since a freeze meets a commit under way only by chance.
  for (const at of [300, 700, 1_100]) {
    await load.reached(at);
    stack.apis[0]!.freeze();
    await load.reached(at + 200);
    stack.apis[0]!.thaw();
  }

  await running;
  report(load);
  expect(load.wrongs).toEqual([]);
  expect(load.told.size).toBe(3_000);
  await checkBooks(stack, { people, told: load.told });
});

test('the same keys sent to two APIs at once, over few wallets, are one transaction each and one answer from both', async () => {
  const people = await makePeople(stack, 4, 100_00n);
  const urls = stack.apis.map(({ url }) => url);
  const load = new Load({ wishes: makeWishes(people, 1_500), urls, clients: 32, toAll: true });
  await load.run();

  report(load);
  expect(load.wrongs).toEqual([]);
  expect(load.told.size).toBe(1_500);
  await checkBooks(stack, { people, told: load.told });
});
