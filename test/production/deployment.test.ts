import { journeys } from '../e2e/journeys';
import { signUp, type Credentials } from '../e2e/person';
import { checkBooks } from '../support/final-checks';
import { Haproxy, hasHaproxy } from '../support/haproxy';
import { Load, makeWishes } from '../support/load';
import { makePeople } from '../support/people';
import { report } from '../support/report';
import { Stack } from '../support/stack';
import { TemporalServer } from '../support/temporal-server';
import { hasTemporalServer, TEMPORAL_SERVER_VERSION } from '../support/temporal-server-program';

const COUNT = 3_000;

if (!hasTemporalServer()) {
  test.todo(`the whole on Temporal server ${TEMPORAL_SERVER_VERSION}, which Go would build: there is none here`);
} else {
  describe(`two shards, Temporal server ${TEMPORAL_SERVER_VERSION} on Postgres, two APIs and two workers`, () => {
    const temporal = new TemporalServer();
    let stack: Stack;
    let proxy: Haproxy | undefined;
    let staff: [Credentials, Credentials];
    // Without HAProxy, the first API is the way in, and the second one is killed.
    const url = () => proxy?.url ?? stack.apis[0]!.url;

    beforeAll(async () => {
      stack = await Stack.start({
        apis: 2,
        workers: 2,
        servers: 2,
        bank: { settleAfterMs: 200 },
        env: { HOLDFAST_ENV: 'production', HOLDFAST_TRUST_PROXY: '1' },
        temporal: temporal.start,
        // What the image holds, where somebody has unpacked it.
        release: process.env['HOLDFAST_TEST_IMAGE'],
      });
      if (hasHaproxy)
        proxy = await Haproxy.start(
          stack.folder,
          stack.apis.map((api) => api.url),
        );
    });
    afterAll(async () => {
      await proxy?.stop();
      await stack?.stop();
      await temporal.stop();
    });

    test('doctor finds nothing wrong', async () => {
      const { out } = await stack.run(['doctor']);
      expect(out).not.toContain('PROBLEM');
      expect(out).toContain(`Temporal server ${TEMPORAL_SERVER_VERSION}`);
    });

    test('an API and a worker killed under load, and Temporal killed and back, lose nothing', async () => {
      const people = await makePeople(stack, 50);
      const load = new Load({ wishes: makeWishes(people, COUNT), urls: [url()], clients: 32 });
      const running = load.run();
      await load.reached(COUNT * 0.2);
      await stack.apis[1]!.kill();
      await load.reached(COUNT * 0.35);
      await stack.apis[1]!.start();
      await stack.workers[0]!.kill();
      await load.reached(COUNT * 0.5);
      await stack.workers[0]!.start();
      await stack.killTemporal();
      await stack.startTemporal();
      await running;
      report(load);
      expect(load.wrongs).toEqual([]);
      expect(load.told.size).toBe(COUNT);
      await checkBooks(stack, { people, told: load.told });
    });

    test('the first people of ops are made by the command', async () => {
      staff = [await signUp(url(), 'ops'), await signUp(url(), 'ops')];
      for (const { username } of staff) {
        expect(await stack.run(['roles', username, 'ops'])).toMatchObject({ code: 0 });
      }
    });

    describe('end to end', () => journeys(() => ({ url: url(), staff, bankUrl: stack.bank.url })));

    test('the chains verify', async () => {
      expect(await stack.run(['audit', 'verify'])).toMatchObject({ code: 0 });
    });
  });
}
