import { Client, Connection } from '@temporalio/client';
import { creditWorkflowId, ownerWorkflowId } from '../../contracts/payments';
import { transactionId } from '../../ledger/identity';
import { waitingEvents } from '../../payments/inbox';
import { beginRequest, recordFact } from '../../payments/requests';
import { fieldOf } from '../../ledger/seal';
import { openShards } from '../../ledger/shards';
import { TestApi, type TestUser } from '../support/api';
import { cloneDatabase } from '../support/database';
import { eventually } from '../support/eventually';
import { silent } from '../support/people';
import { addBankAccount, creditEvent, deliver, factEvent, pay } from '../support/payments';

let api: TestApi;
let connection: Connection;
let client: Client;
let mei: TestUser;
let ops: TestUser;
let deposit: string;
beforeAll(async () => {
  api = await TestApi.start();
  connection = await Connection.connect({ address: process.env['HOLDFAST_TEST_TEMPORAL_ADDRESS']! });
  client = new Client({ connection });
  mei = await api.newUser('mei', { wallets: ['SGD'] });
  ops = await api.newUser('ops_inbox', { roles: ['ops'] });
  const fields = { wallet: 'mei.SGD', amount: '12.50', bankAccount: await addBankAccount(api, mei) };
  deposit = (await pay(api, mei, 'deposits', 'one', fields)).body.id;
});
afterAll(async () => {
  await connection.close();
  await api.close();
});

const db = () => api.deps.shards.shard(0).db;
const stored = (id: string) => db().selectFrom('bank_inbox').selectAll().where('event_id', '=', id).executeTakeFirst();
const accepted = (id: string, transaction = deposit) =>
  factEvent(id, { reference: `${transaction}:collect:1`, state: 'accepted' });
const credit = (creditId: string, virtualAccount: string) => ({
  creditId,
  virtualAccount,
  amountMinor: 500n,
  currency: 'SGD',
  payer: 'Payer Person',
});

describe('a webhook of the bank', () => {
  test('is stored before it is answered, once however often it comes', async () => {
    for (let time = 0; time < 3; time += 1) {
      expect(await deliver(api, [accepted('ev_twice'), accepted('ev_twice')])).toMatchObject({
        status: 200,
        body: { received: 2 },
      });
    }
    const rows = await db().selectFrom('bank_inbox').selectAll().where('event_id', '=', 'ev_twice').execute();
    expect(rows).toMatchObject([{ kind: 'fact', transaction_id: deposit, status: 'new', reason: null }]);
  });

  test('with another’s signature, an old one or none is 401, and stores nothing', async () => {
    expect(await deliver(api, [accepted('ev_forged')], 'another secret')).toMatchObject({
      status: 401,
      body: { code: 'bad_signature' },
    });
    const raw = JSON.stringify({ events: [] });
    const wrong: Record<string, string>[] = [{}, { 'bank-signature': 't=1,v1=00' }];
    for (const headers of wrong) {
      expect((await api.ask('POST', '/v1/bank/webhooks', { raw, headers })).status).toBe(401);
    }
    expect(await stored('ev_forged')).toBeUndefined();
  });

  test('of more than a megabyte is 413', async () => {
    const raw = ' '.repeat(1024 * 1024 + 1);
    expect((await api.ask('POST', '/v1/bank/webhooks', { raw })).status).toBe(413);
  });

  test('tells the workflow that owns its transaction', async () => {
    const fields = { wallet: 'mei.SGD', amount: '1.00', bankAccount: await addBankAccount(api, mei) };
    const { body } = await pay(api, mei, 'deposits', 'told', fields);
    await deliver(api, [accepted('ev_told', body.id)]);
    const handle = client.workflow.getHandle(ownerWorkflowId('deposit', body.id));
    await eventually(async () => {
      const { events = [] } = await handle.fetchHistory();
      const signals = events!.map((event) => event.workflowExecutionSignaledEventAttributes?.signalName);
      expect(signals).toContain('news');
    });
  });

  test('that overtakes the answer to its request wakes nobody once the answer says the same', async () => {
    const fields = { wallet: 'mei.SGD', amount: '1.00', bankAccount: await addBankAccount(api, mei) };
    const { body } = await pay(api, mei, 'deposits', 'overtaken', fields);
    const { reference } = (await beginRequest(db(), { id: body.id, step: 'collect', attempt: 1, state: 'sending' }))!;
    const fact = { reference, state: 'settled', amountMinor: 100n, currency: 'SGD', settlementId: 'st_1' } as const;
    await deliver(api, [factEvent('ev_overtook', fact)]);
    await recordFact(db(), fact);
    await eventually(async () => expect(await stored('ev_overtook')).toMatchObject({ status: 'done' }));
    const { events } = await client.workflow.getHandle(ownerWorkflowId('deposit', body.id)).fetchHistory();
    expect(events!.some((event) => event.workflowExecutionSignaledEventAttributes)).toBe(false);
  });

  test('about a reference of nobody’s, or of what the bank has no part in, is for a person', async () => {
    const opening = await api.fund('mei', 'SGD', '1.00');
    const unknown = [
      accepted('ev_nobody', transactionId(mei.userId, 'never sent')),
      accepted('ev_opening', opening),
      factEvent('ev_form', { reference: 'somebody else’s form', state: 'accepted' }),
    ];
    expect((await deliver(api, unknown)).status).toBe(200);
    for (const { id } of unknown) {
      await eventually(async () =>
        expect(await stored(id)).toMatchObject({ status: 'needs_attention', reason: 'unknown_reference' }),
      );
    }
  });

  test('of a credit starts one workflow for it, and its payer’s name is sealed', async () => {
    const { body } = await api.get('/v1/wallets/mei.SGD/funding-instructions', mei.token);
    await deliver(api, [creditEvent('ev_credit', credit('cr_1', body.virtualAccount))]);
    await deliver(api, [creditEvent('ev_credit_again', credit('cr_1', body.virtualAccount))]);
    const row = await stored('ev_credit');
    expect(row).toMatchObject({ kind: 'credit', subject: 'cr_1', transaction_id: null });
    expect(row!.event).not.toContain('Payer Person');
    const handle = client.workflow.getHandle(creditWorkflowId('cr_1'));
    await eventually(async () => expect((await handle.describe()).type).toBe('credit'));
  });

  test('that nobody has acted on is found again later, oldest first', async () => {
    const waiting = await waitingEvents(db(), { olderThanMs: 0, limit: 100 });
    expect(waiting.map((event) => event.event_id)).toEqual(expect.arrayContaining(['ev_twice', 'ev_credit']));
    expect(await waitingEvents(db(), { olderThanMs: 60_000, limit: 100 })).toEqual([]);
    expect(await waitingEvents(db(), { olderThanMs: 0, limit: 1 })).toHaveLength(1);
  });

  test('of fifty events stores them all', async () => {
    const events = Array.from({ length: 50 }, (_, n) => accepted(`ev_many_${n}`));
    expect((await deliver(api, events)).body).toEqual({ received: 50 });
    const { length } = await db()
      .selectFrom('bank_inbox')
      .select('event_id')
      .where('event_id', 'like', 'ev_many_%')
      .execute();
    expect(length).toBe(50);
  });
});

test('while a shard is down the bank is told to deliver again, and ops which shard it is', async () => {
  const shards = openShards({ urls: ['postgres://app:app@127.0.0.1:1/none'], log: silent });
  const alone = await TestApi.start({ deps: { shards } });
  try {
    const { accessToken } = alone.deps.tokens.issue({ ...ops });
    expect(await deliver(alone, [accepted('ev_down')])).toMatchObject({
      status: 503,
      body: { code: 'shard_unavailable' },
    });
    for (const list of ['attention', 'inbox']) {
      expect(await alone.get(`/v1/ops/${list}`, accessToken)).toMatchObject({
        status: 503,
        body: { code: 'shard_unavailable', detail: 'Shard 0 is not reachable.' },
      });
    }
  } finally {
    await alone.close();
  }
});

test('while one shard is down, what the bank tells of another is stored and acted on, and it delivers again', async () => {
  const database = await cloneDatabase();
  const shards = openShards({ urls: [database.appUrl, 'postgres://app:app@127.0.0.1:1/none'], log: silent });
  const half = await TestApi.start({ database, deps: { shards } });
  try {
    const events = [0, 1].map((shard) => accepted(`ev_of_${shard}`, transactionId(`us_${shard}_a`, 'nobody’s')));
    expect(await deliver(half, events)).toMatchObject({
      status: 503,
      body: { code: 'shard_unavailable', detail: 'Shard 1 is not reachable.' },
    });
    const rows = await shards.shard(0).db.selectFrom('bank_inbox').selectAll().execute();
    expect(rows).toMatchObject([{ event_id: 'ev_of_0', status: 'needs_attention', reason: 'unknown_reference' }]);
  } finally {
    await half.close();
  }
});

describe('ops’ list of what the bank told', () => {
  const list = (query = '') => api.get(`/v1/ops/inbox${query}`, ops.token);

  test('shows what waits for a person, a page at a time, either end first', async () => {
    const all = (await list()).body.data as { eventId: string }[];
    expect(all).toHaveLength(3);
    expect(all[0]).toMatchObject({
      shard: 0,
      kind: 'fact',
      state: 'accepted',
      amount: null,
      reason: 'unknown_reference',
    });
    expect(((await list('?order=newest')).body.data as object[]).reverse()).toEqual(all);
    const first = (await list('?limit=2')).body;
    const rest = (await list(`?limit=2&cursor=${first.nextCursor}`)).body;
    expect({ data: [...first.data, ...rest.data], end: rest.nextCursor }).toEqual({ data: all, end: null });
    expect((await list(`?order=newest&cursor=${first.nextCursor}`)).status).toBe(422);
    expect((await list('?cursor=nonsense')).status).toBe(422);
  });

  test('shows a credit with its payer and amount', async () => {
    await deliver(api, [creditEvent('ev_lost', credit('cr_lost', 'NL00'))]);
    await db().updateTable('bank_inbox').set({ status: 'needs_attention' }).where('event_id', '=', 'ev_lost').execute();
    expect((await list('?order=newest&limit=1')).body.data[0]).toMatchObject({
      eventId: 'ev_lost',
      payer: 'Payer Person',
      amount: '5.00',
      currency: 'SGD',
      virtualAccount: 'NL00',
    });
  });

  test('lets an operator put an event away, once, with a note that is sealed', async () => {
    const put = () => api.post('/v1/ops/inbox/ev_form/resolve', { note: 'called the bank' }, ops.token);
    expect((await put()).status).toBe(204);
    expect((await put()).status).toBe(404);
    const row = (await stored('ev_form'))!;
    expect(row).toMatchObject({ status: 'done', done_by: ops.userId });
    expect(await api.deps.sealer.open(row.note_sealed!, fieldOf.note('ev_form'))).toBe('called the bank');
    expect(JSON.stringify((await list()).body)).not.toContain('ev_form');
  });
});
