import { randomUUID } from 'node:crypto';
import { freePort } from '../../cli/embedded/ports';
import { askCarefully, verifiedBankAccount } from '../support/careful-client';
import { eventually } from '../support/eventually';
import { Load, makeWishes } from '../support/load';
import { livesOn, makePeople, type Person } from '../support/people';
import { hasPrometheus, Prometheus } from '../support/prometheus';
import { Stack } from '../support/stack';

let stack: Stack;
let prometheus: Prometheus;
let people: Person[];

const url = () => stack.apis[0]!.url;

async function fires(alert: string): Promise<void> {
  const since = Date.now();
  await eventually(async () => expect(await prometheus.firing()).toContain(alert), PATIENT);
  tell(`${alert} fires after ${seconds(since)}, with ${(await prometheus.firing()).join(', ')}`);
}

async function clears(alert: string): Promise<void> {
  const since = Date.now();
  await eventually(async () => expect(await prometheus.firing()).not.toContain(alert), PATIENT);
  tell(`${alert} is over after ${seconds(since)}`);
}

const PATIENT = { withinMs: 120_000, everyMs: 250 };
const seconds = (since: number) => `${((Date.now() - since) / 1_000).toFixed(1)} s`;
const tell = (line: string) => process.stderr.write(`  ${line}\n`);

/** Until it is stopped: transfers of everybody, and what is refused is asked again. */
function transfers(): { stop(): Promise<void> } {
  let isOver = false;
  const run = async () => {
    for (let round = 0; !isOver; round++) {
      const wishes = makeWishes(people, 40, people, `alerts-${round}-${randomUUID()}`);
      await new Load({ wishes, urls: [url()], clients: 4 }).run();
    }
  };
  const running = run();
  return {
    stop: async () => {
      isOver = true;
      await running;
    },
  };
}

if (!hasPrometheus) {
  test.todo('alerts fire and clear, by Prometheus, which is not installed here');
} else {
  beforeAll(async () => {
    const port = await freePort();
    const env = { HOLDFAST_METRICS_PORT: String(port) };
    stack = await Stack.start({ servers: 2, bank: { settleAfterMs: 200 }, env });
    people = await makePeople(stack, 24);
    prometheus = await Prometheus.start(stack.folder, {
      'holdfast-api': [`127.0.0.1:${port}`],
      'holdfast-worker': stack.workers.map((worker) => new URL(worker.url).host),
    });
  });
  afterAll(async () => {
    await prometheus?.stop();
    await stack?.stop();
  });

  test('with everything up and under load nothing fires', async () => {
    const load = transfers();
    await eventually(async () => expect(await prometheus.value('sum(holdfast_shard_up)')).toBe(2), PATIENT);
    await eventually(
      async () => expect(await prometheus.value('holdfast:requests:rate5m')).toBeGreaterThan(1),
      PATIENT,
    );
    await load.stop();
    await eventually(async () => expect(await prometheus.firing()).toEqual([]), PATIENT);
  });

  test('a shard that is killed under load is told of by its number, as no fault of requests, until it is back', async () => {
    const load = transfers();
    const [, server] = stack.servers;
    await server!.kill();
    await fires('ShardDown shard 1');
    const firing = await prometheus.firing();
    for (const other of ['ShardDown shard 0', 'RequestsFail', 'ShardRefused', 'NoWorker', 'TemporalAway']) {
      expect(firing).not.toContain(other);
    }
    await server!.start();
    await clears('ShardDown shard 1');
    await load.stop();
  });

  test('a bank that is away is told of, and what needs attention for it, until it is back', async () => {
    const { token, wallet } = people.find(livesOn(0))!;
    const bankAccount = await verifiedBankAccount([url()], token);
    await stack.bank.kill();
    for (let n = 0; n < 6; n++) {
      const headers = { 'idempotency-key': randomUUID() };
      const body = { wallet, amount: '1.00', bankAccount };
      await askCarefully([url()], '/v1/withdrawals', { method: 'POST', token, body, headers });
    }
    await fires('BankCallsFail');
    await fires('AttentionWaits shard 0 withdrawal');
    await stack.bank.start();
    await clears('AttentionWaits shard 0 withdrawal');
    await clears('BankCallsFail');
  });

  test('workers that are gone are missed until one is back', async () => {
    await stack.workers[0]!.kill();
    await fires('NoWorker');
    await stack.workers[0]!.start();
    await clears('NoWorker');
  });
}
