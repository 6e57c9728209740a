import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { partsOf, RECONCILE_SCHEDULE_ID } from '../../contracts/reconciliation';
import { valueTypes } from '../../ledger/postgres';
import { giveUpPart } from '../../reconciliation';
import { checkCrossings, type CrossingsPlace } from '../../reconciliation/crossings';
import type { TestUser } from '../support/api';
import { BANK_SECRET, TestBank } from '../support/bank';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { pay } from '../support/payments';
import { reconcile } from '../support/reconciling';

/** Two shards and a bank; what is damaged by hand stays so, each time another transaction. */
let bank: TestBank;
let holdfast: TestHoldfast;
let owners: pg.Client[];
let near: TestUser;
let far: TestUser;
let nearAccount: string;
let farAccount: string;
beforeAll(async () => {
  bank = await TestBank.start();
  holdfast = await TestHoldfast.start({ shards: 2, rail: bank.rail });
  await bank.stop();
  const webhook = { url: `${holdfast.api.url}/v1/bank/webhooks`, secret: BANK_SECRET };
  await bank.startAgain({ webhook, settleAfterMs: 50 });
  owners = holdfast.databases.map(({ ownerUrl }) => new pg.Client({ connectionString: ownerUrl, types: valueTypes }));
  await Promise.all(owners.map((owner) => owner.connect()));
  [near, far] = [await holdfast.personOn(0, 'near', '1000.00'), await holdfast.personOn(1, 'far', '1000.00')];
  [nearAccount, farAccount] = [await bankAccountOf(near), await bankAccountOf(far)];
});
afterAll(async () => {
  await Promise.all((owners ?? []).map((owner) => owner.end()));
  await holdfast?.close();
  await bank?.close();
});

const deps = () => ({ shards: holdfast.shards, rail: bank.rail });

async function bankAccountOf(user: TestUser): Promise<string> {
  const account = { holder: 'A Holder', number: '12345678', bankCode: 'TESTSGSG' };
  const { body } = await holdfast.api.post('/v1/bank-accounts', account, user.token);
  return body.id as string;
}

let keys = 0;
async function send(from: TestUser, to: TestUser, amount = '1.00'): Promise<string> {
  const fields = { from: walletOf(from), to: walletOf(to), amount };
  const { status, body } = await holdfast.transfer(from, `send-${(keys += 1)}`, fields);
  expect({ status, body }).toMatchObject({ status: 201 });
  return body.id as string;
}

async function payment(kind: 'deposits' | 'withdrawals', user = near, amount = '5.00'): Promise<string> {
  const fields = { wallet: walletOf(user), amount, bankAccount: user === near ? nearAccount : farAccount };
  const { status, body } = await pay(holdfast.api, user, kind, `pay-${(keys += 1)}`, fields, { query: '?wait=30' });
  expect({ status, body }).toMatchObject({ status: 201 });
  return body.id as string;
}

/** As only the databases' owner can. */
async function damage(shard: number, text: string, values: unknown[] = []): Promise<void> {
  const { rowCount } = await owners[shard]!.query(text, values);
  expect(rowCount).toBeGreaterThan(0);
}

test('while hundreds of transfers both ways, deposits and withdrawals are in flight, nothing is found', async () => {
  let isOver = false;
  const bulk = (from: TestUser, to: TestUser) => {
    const item = { from: walletOf(from), to: walletOf(to), amount: '0.01' };
    const transfers = Array.from({ length: 50 }, () => ({ ...item, idempotencyKey: `bulk-${(keys += 1)}` }));
    return holdfast.bulk(from, transfers);
  };
  const load = Promise.all([
    ...Array.from({ length: 6 }, async () => {
      for (let round = 0; round < 3; round += 1) await Promise.all([bulk(near, far), bulk(far, near)]);
    }),
    ...Array.from({ length: 5 }, async () => {
      await payment('deposits', near);
      await payment('withdrawals', far);
    }),
  ]).finally(() => (isOver = true));
  const found = [];
  let rounds = 0;
  while (!isOver) {
    found.push(...(await reconcile(deps(), { youngMs: 60_000 })));
    rounds += 1;
  }
  await load;
  expect(found).toEqual([]);
  expect(rounds).toBeGreaterThan(0);
  expect(await reconcile(deps(), { youngMs: 60_000 })).toEqual([]);
}, 120_000);

test('what is held on one shard and not yet credited on the other is in flight, not wrong', async () => {
  const { poster } = holdfast.shards.shard(0);
  const id = holdfast.idOf(near, 'tried');
  const [from, to] = await Promise.all(
    [near, far].map(async ({ username }) => {
      const found = await holdfast.api.deps.names.resolve({ username, currency: 'SGD' });
      return found!.accountId;
    }),
  );
  const facts = {
    ...{ id, type: 'transfer' as const, actorId: near.userId, hash: 'tried' },
    ...{ from: from!, to: to!, amountMinor: 100n, currency: 'SGD' },
  };
  await poster.post([{ kind: 'transfer', facts, owner: 'test' }]);
  expect(await reconcile(deps(), { scope: 'crossings' })).toEqual([]);
  await holdfast.shards.shard(1).poster.post([{ kind: 'receive', facts }]);
  expect(await reconcile(deps(), { scope: 'crossings' })).toEqual([]);
  const capture = { step: 'capture', holdStep: 'try', to: 'ac_0_@clearing.SGD' };
  await poster.post([{ kind: 'capture', facts, ...capture }]);
  expect(await reconcile(deps())).toEqual([]);
});

const CROSSING_DAMAGES: [string, number, string, string][] = [
  ['an incoming row taken away', 1, 'delete from transactions where id = $1', 'capture_without_credit'],
  ['an incoming row refused', 1, `update transactions set status = 'rejected' where id = $1`, 'capture_without_credit'],
  ['a source’s row taken away', 0, 'delete from transactions where id = $1', 'credit_without_source'],
  ['a hold taken away', 0, 'delete from holds where transaction_id = $1', 'credit_without_hold'],
  ['a hold released', 0, `update holds set status = 'released' where transaction_id = $1`, 'credit_of_released_hold'],
  ['a capture undone', 0, `update holds set status = 'held' where transaction_id = $1`, 'half_captured'],
  [
    'a source’s row reopened',
    0,
    `update transactions set status = 'pending', completed_at = null, final_block = null where id = $1`,
    'half_captured',
  ],
  ['a credit’s amount', 1, 'update transactions set amount = amount + 1 where id = $1', 'crossing_differs'],
  ['a hold’s amount', 0, 'update holds set amount = amount + 1 where transaction_id = $1', 'crossing_differs'],
  ['a credit’s currency', 1, `update transactions set currency = 'JPY' where id = $1`, 'crossing_differs'],
  ['who was credited', 1, `update transactions set to_account = 'ac_1_@fees.SGD' where id = $1`, 'crossing_differs'],
];

test.each(CROSSING_DAMAGES)('%s is found and named', async (_what, shard, change, kind) => {
  const id = await send(near, far);
  await damage(shard, change, [id]);
  const found = await reconcile(deps(), { scope: 'crossings' });
  expect(found).toContainEqual(expect.objectContaining({ kind, subject: id }));
});

test('money that is missing in @clearing is found', async () => {
  await send(far, near);
  await damage(
    1,
    `update entries set balance_after = balance_after + 5 where account_id = 'ac_1_@clearing.SGD'
     and block = (select max(block) from entries where account_id = 'ac_1_@clearing.SGD')`,
  );
  const found = await reconcile(deps(), { scope: 'crossings' });
  expect(found).toContainEqual(expect.objectContaining({ kind: 'clearing', subject: '@clearing.SGD' }));
  expect(await reconcile(deps(), { scope: 'books' })).toContainEqual(
    expect.objectContaining({ kind: 'running_balance' }),
  );
});

test('a deposit that is booked and of which the bank’s statement does not tell is found', async () => {
  const id = await payment('deposits');
  await reconcile(deps(), { scope: 'bank' });
  await damage(0, 'delete from bank_statement_lines where transaction_id = $1', [id]);
  const statement: typeof bank.rail.statement = async (query) => {
    const page = await bank.rail.statement(query);
    return { ...page, lines: page.lines.filter(({ reference }) => !reference?.startsWith(id)) };
  };
  const found = await reconcile({ shards: holdfast.shards, rail: { statement } }, { scope: 'bank' });
  expect(found).toEqual([expect.objectContaining({ kind: 'ours_only', subject: id })]);
  expect(await reconcile(deps(), { scope: 'bank' })).toEqual([]);
});

test('a line that we never asked for is found, and so is another amount than the one we booked', async () => {
  const id = await payment('withdrawals');
  const statement: typeof bank.rail.statement = async (query) => {
    const page = await bank.rail.statement(query);
    const [line] = page.lines;
    if (!line) return page;
    const lines = page.lines.map((each) =>
      each.reference?.startsWith(id) ? { ...each, amountMinor: each.amountMinor - 1n } : each,
    );
    return { ...page, lines: [...lines, { ...line, reference: 'somebody-elses', settlementId: 'unheard-of' }] };
  };
  const rail = { statement };
  const found = await reconcile({ shards: holdfast.shards, rail }, { scope: 'bank' });
  expect(found).toContainEqual(expect.objectContaining({ kind: 'theirs_only', subject: 'somebody-elses' }));
  expect(found).toContainEqual(expect.objectContaining({ kind: 'amounts_differ', subject: `${id}:payout:1` }));
});

test('a credit that we have not booked is found once it is no longer young', async () => {
  // To a webhook that nobody answers.
  await bank.stop();
  await bank.startAgain({ webhook: { url: 'http://127.0.0.1:1', secret: BANK_SECRET } });
  await bank.control.credit({ virtualAccount: '8800009', amountMinor: 7_00n, currency: 'SGD', payer: 'A Stranger' });
  expect(await reconcile(deps(), { scope: 'bank', youngMs: 600_000 })).toEqual([]);
  const found = await reconcile(deps(), { scope: 'bank' });
  expect(found).toEqual([
    expect.objectContaining({ kind: 'theirs_only', detail: expect.stringContaining('credit') as string }),
  ]);
});

test('a request whose row is gone, and a settlement of another number, are found', async () => {
  const [gone, twice] = [await settled(), await settled()];
  await damage(0, 'delete from bank_requests where transaction_id = $1', [gone]);
  await damage(0, `update bank_requests set settlement_id = 'another' where transaction_id = $1`, [twice]);
  const found = await reconcile(deps(), { scope: 'bank' });
  expect(found).toContainEqual(expect.objectContaining({ kind: 'theirs_only', subject: `${gone}:collect:1` }));
  expect(found).toContainEqual(expect.objectContaining({ kind: 'settled_twice', subject: `${twice}:collect:1` }));
});

/** A deposit over the webhook of the first bank again. */
async function settled(): Promise<string> {
  await bank.stop();
  const webhook = { url: `${holdfast.api.url}/v1/bank/webhooks`, secret: BANK_SECRET };
  await bank.startAgain({ webhook, settleAfterMs: 50 });
  return payment('deposits');
}

describe('over the API', () => {
  let auditor: TestUser;
  let ops: TestUser;
  beforeAll(async () => {
    auditor = await holdfast.api.newUser('auditor_of_all', { roles: ['auditor'] });
    ops = await holdfast.api.newUser('ops_of_all', { roles: ['ops'] });
  });

  test('a run is started, listed part by part, and shown with its findings', async () => {
    const { status, body } = await holdfast.api.post('/v1/ops/reconciliations', undefined, ops.token);
    expect(status).toBe(202);
    const parts = await eventually(
      async () => {
        const { body: list } = await holdfast.api.get('/v1/ops/reconciliations?limit=100', auditor.token);
        const mine = list.data.filter((each: { run: string }) => each.run === body.run);
        expect(mine.map((each: { status: string }) => each.status)).toEqual(['done', 'done', 'done', 'done']);
        return mine as { id: string; scope: string; shard: number; findings: number }[];
      },
      { withinMs: 30_000 },
    );
    expect(parts.map(({ scope, shard }) => `${scope} ${shard}`).sort()).toEqual([
      'bank 0',
      'books 0',
      'books 1',
      'crossings 0',
    ]);
    const crossings = parts.find(({ scope }) => scope === 'crossings')!;
    const shown = await holdfast.api.get(`/v1/ops/reconciliations/${crossings.id}`, auditor.token);
    expect(shown.status).toBe(200);
    expect(shown.body.findings).toHaveLength(crossings.findings);
    expect(shown.body.findings.map((each: { kind: string }) => each.kind)).toContain('capture_without_credit');
    expect((await holdfast.api.get(`/v1/ops/reconciliations/${near.userId}`, auditor.token)).status).toBe(404);
  });

  test('customers may neither read nor start one, and an auditor reads only', async () => {
    expect((await holdfast.api.post('/v1/ops/reconciliations', undefined, auditor.token)).status).toBe(403);
    expect((await holdfast.api.get('/v1/ops/reconciliations', near.token)).status).toBe(403);
    expect((await holdfast.api.post('/v1/ops/reconciliations', undefined, near.token)).status).toBe(403);
  });

  test('its Schedule runs it', async () => {
    await holdfast.outside.client.schedule.getHandle(RECONCILE_SCHEDULE_ID).trigger();
    await eventually(
      async () => {
        const { body } = await holdfast.api.get('/v1/ops/reconciliations?limit=100', auditor.token);
        const latest = body.data.filter((each: { run: string }) => each.run === body.data[0].run);
        expect(latest.map((each: { status: string }) => each.status)).toEqual(['done', 'done', 'done', 'done']);
        const info = await holdfast.outside.client.schedule.getHandle(RECONCILE_SCHEDULE_ID).describe();
        expect(info.info.recentActions.map((each) => each.action.workflow.firstExecutionRunId)).toContain(
          body.data[0].run,
        );
      },
      { withinMs: 30_000 },
    );
  });

  test('a part that could not be carried out says why', async () => {
    const part = partsOf(randomUUID(), { shards: 2, youngMs: 0 }, Date.now()).at(-1)!;
    await giveUpPart(deps(), part, 'the bank did not answer');
    const { body } = await holdfast.api.get(`/v1/ops/reconciliations/${part.id}`, auditor.token);
    expect(body).toMatchObject({ status: 'failed', error: 'the bank did not answer', findings: [] });
  });
});

test('a part goes on where it stopped: what was done is not done again', async () => {
  const batches = [];
  for await (const batch of checkCrossings(holdfast.shards)) batches.push(batch);
  const [first, ...rest] = batches;
  const resumed = [];
  const place = JSON.parse(JSON.stringify(first!.place)) as CrossingsPlace;
  for await (const batch of checkCrossings(holdfast.shards, place)) resumed.push(batch);
  expect(resumed).toEqual(rest);
});
