import { readFileSync } from 'node:fs';
import { checkBooks } from '../support/final-checks';
import { Load, makeWishes } from '../support/load';
import { makePeople } from '../support/people';
import { report } from '../support/report';
import { Stack } from '../support/stack';

let stack: Stack;
beforeAll(async () => {
  stack = await Stack.start();
  await stack.addApi({ LOG_LEVEL: 'info' });
});
afterAll(() => stack?.stop());

test('an API asked to stop under load answers everything it has accepted, and ends with exit code 0', async () => {
  const people = await makePeople(stack, 50);
  const [staying, leaving] = stack.apis as [Stack['apis'][0], Stack['apis'][0]];
  const load = new Load({
    wishes: makeWishes(people, 2_500),
    urls: [staying.url, leaving.url],
    clients: 64,
    name: true,
  });
  const running = load.run();

  await load.reached(800);
  expect(await leaving.kill('SIGTERM')).toEqual({ code: 0, signal: null });

  await running;
  report(load);
  const accepted = readFileSync(leaving.logFile, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"requestId":"wish-'))
    .map((line) => JSON.parse(line) as { requestId: string; status: number });
  expect(accepted.length).toBeGreaterThan(300);
  expect(accepted.filter(({ requestId }) => !load.answered.has(requestId))).toEqual([]);

  expect(load.wrongs).toEqual([]);
  expect(load.told.size).toBe(2_500);
  await checkBooks(stack, { people, told: load.told });
});
