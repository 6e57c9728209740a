import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { sql } from 'kysely';
import { register } from 'prom-client';
import { BANK_TASK_QUEUE } from '../../contracts/payments';
import { TASK_QUEUE } from '../../contracts/transfers';
import { openShards } from '../../ledger/shards';
import { readFacts } from '../../worker/read-facts';
import { serveMetrics } from '../../metrics/server';
import { timedRail } from '../../metrics/rail';
import { nameOfSql } from '../../metrics/statements';
import { TestBank } from '../support/bank';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { Payments } from '../support/payment-runs';
import { silent } from '../support/people';

let bank: TestBank;
let holdfast: TestHoldfast;
let payments: Payments;
let url: string;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  bank = await TestBank.start();
  holdfast = await TestHoldfast.start({ shards: 2, rail: timedRail(bank.rail) });
  payments = new Payments(holdfast);
  const server = await serveMetrics({
    host: '127.0.0.1',
    port: 0,
    sdkAddress: '127.0.0.1:1',
    refresh: () =>
      readFacts({
        shards: holdfast.shards,
        temporal: holdfast.temporal,
        schedules: holdfast.schedules(),
        taskQueues: [TASK_QUEUE, BANK_TASK_QUEUE],
        log: silent,
      }),
    log: silent,
  });
  closing.push(() => server.close());
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
});
afterAll(async () => {
  for (const close of closing) await close();
  register.clear();
  await holdfast?.close();
  await bank?.close();
});

type Labels = Record<string, string | number>;

/** The sum of a metric's series with these labels. */
async function value(metric: string, labels: Labels = {}): Promise<number> {
  const text = await (await fetch(url)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    .filter((line) => Object.entries(labels).every(([name, is]) => line.includes(`${name}="${is}"`)))
    .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** What rises by how much, once the work is done and everybody has noted it. */
async function rises(expected: [metric: string, labels: Labels, by: number][], work: () => Promise<unknown>) {
  const before = await Promise.all(expected.map(([metric, labels]) => value(metric, labels)));
  await work();
  await eventually(
    async () => {
      const now = await Promise.all(expected.map(([metric, labels]) => value(metric, labels)));
      expect(now.map((each, index) => [...expected[index]!.slice(0, 2), each - before[index]!])).toEqual(expected);
    },
    { withinMs: 30_000 },
  );
}

test('each refused transfer of a bulk request is counted by its code', async () => {
  const [alice, bob] = await holdfast.pair('metrics_bulk');
  const fields = { from: walletOf(alice), to: walletOf(bob) };
  const items = ['1.00', '5000.00', '6000.00'].map((amount, n) => ({ ...fields, amount, idempotencyKey: `bulk-${n}` }));
  const reused = { ...fields, amount: '2.00', idempotencyKey: 'bulk-0' };
  const route = '/v1/transfers/bulk';
  await rises(
    [
      ['holdfast_http_problems_total', { route, code: 'transaction_rejected' }, 2],
      ['holdfast_http_problems_total', { route, code: 'idempotency_key_reused' }, 1],
      ['holdfast_http_request_seconds_count', { route, status: 207 }, 1],
    ],
    () => holdfast.bulk(alice, [...items, reused]),
  );
});

test('what may be counted is there at 0 before it is, so that its first event is a rise', async () => {
  const series = (await (await fetch(url)).text()).split('\n');
  for (const line of [
    'holdfast_http_problems_total{route="/v1/transfers",code="overloaded"} 0',
    'holdfast_http_problems_total{route="/v1/transfers/bulk",code="not_started"} 0',
    'holdfast_http_slow_requests_total{method="POST",route="/v1/transfers"} 0',
    'holdfast_http_request_seconds_count{method="POST",route="/v1/transfers",status="503"} 0',
    'holdfast_bank_webhook_events_total{outcome="refused"} 0',
    'holdfast_bank_call_seconds_count{call="pay_out",outcome="uncertain"} 0',
    'holdfast_post_failures_total{shard="1",kind="lost"} 0',
    'holdfast_sql_slow_total{statement="commit"} 0',
  ]) {
    expect(series).toContain(line);
  }
});

test('requests and transactions are counted by route, kind and outcome', async () => {
  const alice = await holdfast.personOn(0, 'metrics_a');
  const bob = await holdfast.personOn(0, 'metrics_b');
  const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
  const route = { method: 'POST', route: '/v1/transfers' };
  await rises(
    [
      ['holdfast_http_request_seconds_count', { ...route, status: 201 }, 1],
      ['holdfast_http_request_seconds_count', { ...route, status: 422 }, 1],
      ['holdfast_http_problems_total', { route: route.route, code: 'transaction_rejected' }, 1],
      ['holdfast_transaction_seconds_count', { type: 'transfer', status: 'completed' }, 1],
      ['holdfast_transaction_seconds_count', { type: 'transfer', status: 'rejected' }, 1],
      ['holdfast_lane_group_transfers_sum', {}, 2],
      ['holdfast_sql_seconds_count', { statement: 'post insert-transactions' }, 2],
    ],
    async () => {
      await holdfast.transfer(alice, 'paid', fields);
      await holdfast.transfer(alice, 'too-much', { ...fields, amount: '5000.00' });
    },
  );
  const commands = await value('holdfast_post_commands_sum', { shard: 0 });
  expect(commands).toBeGreaterThanOrEqual(2);
  expect(await value('holdfast_post_commands_count', { shard: 0 })).toBeLessThanOrEqual(commands);
  expect(await value('holdfast_post_round_trips_total', { shard: 0 })).toBeGreaterThanOrEqual(4);
  expect(await value('holdfast_lane_queue')).toBe(0);
});

test('calls to the bank, its webhooks and what payments come to are counted', async () => {
  const user = await holdfast.personOn(0, 'metrics_payer');
  await rises(
    [
      ['holdfast_bank_call_seconds_count', { call: 'collect', outcome: 'ok' }, 1],
      ['holdfast_transaction_seconds_count', { type: 'deposit', status: 'completed' }, 1],
    ],
    async () => payments.ended(await payments.begin('deposit', user, 100n)),
  );
  const refused = fetch(`${holdfast.api.url}/v1/bank/webhooks`, { method: 'POST', body: '{}' });
  await rises([['holdfast_bank_webhook_events_total', { outcome: 'refused' }, 1]], () => refused);
});

test('what waits is shown with its age, by what Postgres and Temporal know', async () => {
  const user = await holdfast.personOn(0, 'metrics_waits');
  const open = { type: 'withdrawal', status: 'awaiting_approval' };
  const facts = await payments.begin('withdrawal', user, 100n, { status: 'awaiting_approval' });
  await eventually(
    async () => {
      expect(await value('holdfast_open_transactions', open)).toBe(1);
      expect(await value('holdfast_open_transaction_oldest_seconds', open)).toBeGreaterThan(0);
      expect(await value('holdfast_holds', { shard: 0 })).toBe(1);
    },
    { withinMs: 30_000 },
  );
  for (const shard of [0, 1]) expect(await value('holdfast_shard_up', { shard })).toBe(1);
  expect(await value('holdfast_schedule_every_seconds', { schedule: 'holdfast-months' })).toBe(86_400);
  expect(await value('holdfast_schedule_age_seconds', { schedule: 'holdfast-months' })).toBeGreaterThan(0);
  expect(await (await fetch(url)).text()).toContain('holdfast_task_queue_backlog{queue="holdfast",kind="workflow"} 0');
  await payments.cancel(facts);
});

test('each is explained in the docs, and nothing else is', async () => {
  const docs = readFileSync(path.join(__dirname, '../../docs/metrics.md'), 'utf8');
  const explained = [...docs.matchAll(/^\| `(holdfast_\w+)`/gm)].map(([, name]) => name!);
  const shown = (await register.getMetricsAsJSON()).map(({ name }) => name);
  expect(shown.filter((name) => name.startsWith('holdfast_')).sort()).toEqual(explained.sort());
});

test('no label says who, or which', async () => {
  const text = await (await fetch(url)).text();
  const labels = [...text.matchAll(/="([^"]*)"/g)].map(([, label]) => label!);
  expect(labels.length).toBeGreaterThan(100);
  for (const label of labels) expect(label).not.toMatch(/metrics_|_[0-9]_|[0-9a-f]{8}-|\b(tx|us|ac|ba)_/);
});

test('a slow statement is counted, and logged with a plan that has no values', async () => {
  const logged: Record<string, unknown>[] = [];
  const log = { ...silent, warn: (fields: object) => void logged.push(fields as Record<string, unknown>) };
  const shards = openShards({ urls: [holdfast.database.appUrl], log, poolSize: 2, slowQueryMs: 50 });
  closing.push(() => shards.close());
  const slow = () =>
    sql`select (select id from users where username = ${'somebody_personal'}), pg_sleep(0.1)`.execute(
      shards.shard(0).db,
    );
  await rises([['holdfast_sql_slow_total', { statement: 'select users' }, 2]], async () => {
    await slow();
    await eventually(async () => expect(logged).toHaveLength(1));
    await slow();
  });
  await eventually(async () => expect(logged).toHaveLength(2));
  expect(logged[0]).toMatchObject({ shard: 0, statement: 'select users', plan: expect.stringContaining('Scan') });
  expect(logged[1]).not.toHaveProperty('plan');
  expect(JSON.stringify(logged)).not.toContain('somebody_personal');
});

test('a statement is named by what it does', () => {
  expect(
    [
      'select "id" from "accounts" where "id" = $1',
      'insert into "users" ("id") values ($1)',
      '\n  update accounts set status = $1',
      'with moved as (select 1 from entries) select 1 from moved',
      'commit',
    ].map(nameOfSql),
  ).toEqual(['select accounts', 'insert users', 'update accounts', 'with entries', 'commit']);
});
