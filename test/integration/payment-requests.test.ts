import { randomUUID } from 'node:crypto';
import { systemAccountId } from '../../contracts/ids';
import { ownerWorkflowId } from '../../contracts/payments';
import type { Command } from '../../ledger/commands';
import { transactionId } from '../../ledger/identity';
import { TestApi, type TestUser } from '../support/api';
import { addBankAccount, pay } from '../support/payments';
import { holdChain } from '../support/trouble';

/** No worker runs here: what the API answers rests on Postgres alone. */
let api: TestApi;
beforeAll(async () => (api = await TestApi.start()));
afterAll(() => api.close());

async function customer(name: string): Promise<{ user: TestUser; wallet: string; bankAccount: string }> {
  const user = await api.newUser(name, { wallets: ['SGD'] });
  await api.fund(name, 'SGD', '20000.00');
  return { user, wallet: `${name}.SGD`, bankAccount: await addBankAccount(api, user) };
}

async function change(user: TestUser, kind: 'freeze' | 'close'): Promise<void> {
  const { accountId } = (await api.deps.names.resolve({ username: user.username, currency: 'SGD' }))!;
  const command: Command = { kind, accountId, actorId: user.userId };
  expect(await api.deps.shards.shard(0).poster.post([command])).toMatchObject([{ kind: 'wallet' }]);
}

const row = (id: string) =>
  api.deps.shards.shard(0).db.selectFrom('transactions').selectAll().where('id', '=', id).executeTakeFirst();
const walletOf = async (user: TestUser) =>
  (await api.get(`/v1/wallets/${user.username}.SGD`, user.token)).body as Record<string, string>;

describe('a deposit', () => {
  test('is answered 202 once it is written down, from the bank to the wallet, with nothing moved yet', async () => {
    const { user, wallet, bankAccount } = await customer('dep_a');
    const { status, headers, body } = await pay(api, user, 'deposits', 'one', { wallet, amount: '12.50', bankAccount });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      id: transactionId(user.userId, 'one'),
      type: 'deposit',
      status: 'pending',
      from: '@bank.SGD',
      to: wallet,
      amount: '12.50',
      bankAccount: { id: bankAccount, number: expect.stringMatching(/^\*{4}\d{4}$/) },
    });
    expect(headers.get('location')).toBe(`/v1/transactions/${body.id}`);
    expect(await row(body.id)).toMatchObject({
      owner_workflow: ownerWorkflowId('deposit', body.id),
      from_account: systemAccountId(0, '@bank', 'SGD'),
      bank_account_id: bankAccount,
    });
    expect((await walletOf(user)).balance).toBe('20000.00');
  });

  test('is seen by its owner from the start, by itself and in their list', async () => {
    const { user, wallet, bankAccount } = await customer('dep_b');
    const { body } = await pay(api, user, 'deposits', 'one', { wallet, amount: '12.50', bankAccount });
    const read = await api.get(body.links.self, user.token);
    expect(read.body).toMatchObject({ ...body, refunded: null });
    for (const query of ['?type=deposit', '?type=deposit&status=pending']) {
      expect((await api.get(`/v1/transactions${query}`, user.token)).body.data).toEqual([body]);
    }
  });

  test.each(['freeze', 'close'] as const)('into a wallet after %s is refused, and stores nothing', async (kind) => {
    const user = await api.newUser(`dep_${kind}`, { wallets: ['SGD'] });
    const bankAccount = await addBankAccount(api, user);
    await change(user, kind);
    const fields = { wallet: `dep_${kind}.SGD`, amount: '1.00', bankAccount };
    expect(await pay(api, user, 'deposits', 'one', fields)).toMatchObject({
      status: 422,
      body: { code: 'wallet_not_open' },
    });
    expect(await row(transactionId(user.userId, 'one'))).toBeUndefined();
  });
});

describe('a withdrawal', () => {
  test('is answered 202 once its money is held', async () => {
    const { user, wallet, bankAccount } = await customer('wit_a');
    const { status, body } = await pay(api, user, 'withdrawals', 'one', { wallet, amount: '9999.99', bankAccount });
    expect({ status, body }).toMatchObject({
      status: 202,
      body: { type: 'withdrawal', status: 'pending', from: wallet, to: '@bank.SGD' },
    });
    expect(await walletOf(user)).toMatchObject({ balance: '20000.00', held: '9999.99', available: '10000.01' });
  });

  test('waits for approval from the threshold of its currency on', async () => {
    const { user, wallet, bankAccount } = await customer('wit_b');
    const { status, body } = await pay(api, user, 'withdrawals', 'one', { wallet, amount: '10000.00', bankAccount });
    expect({ status, of: body.status }).toEqual({ status: 202, of: 'awaiting_approval' });
    expect((await walletOf(user)).held).toBe('10000.00');
  });

  test('of more than there is is rejected for good, and holds nothing', async () => {
    const { user, wallet, bankAccount } = await customer('wit_c');
    const ask = () => pay(api, user, 'withdrawals', 'one', { wallet, amount: '20000.01', bankAccount });
    const rejected = {
      code: 'transaction_rejected',
      transaction: { status: 'rejected', reason: 'insufficient_funds' },
    };
    expect(await ask()).toMatchObject({ status: 422, body: rejected });
    await api.fund('wit_c', 'SGD', '100.00');
    const again = await ask();
    expect(again).toMatchObject({ status: 422, body: rejected });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect((await walletOf(user)).held).toBe('0.00');
  });
});

describe.each(['deposits', 'withdrawals'] as const)('%s', (kind) => {
  let user: TestUser;
  let fields: { wallet: string; amount: string; bankAccount: string };
  beforeAll(async () => {
    const { user: one, ...rest } = await customer(`both_${kind}`);
    user = one;
    fields = { amount: '5.00', ...rest };
  });

  test('need a bank account whose id Postgres can be asked for', async () => {
    const answer = await pay(api, user, kind, 'no text', { ...fields, bankAccount: 'ba_0_\u0000' });
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'invalid_request', errors: [{ field: '/bankAccount' }] },
    });
  });

  test('sent again are one, and are not judged anew by how things stand now', async () => {
    const bankAccount = await addBankAccount(api, user);
    const first = await pay(api, user, kind, 'again', { ...fields, bankAccount });
    const { db } = api.deps.shards.shard(0);
    await db.updateTable('bank_accounts').set({ status: 'refused' }).where('id', '=', bankAccount).execute();
    const again = await pay(api, user, kind, 'again', { ...fields, wallet: fields.wallet.toUpperCase(), bankAccount });
    expect(again).toMatchObject({ status: 202, body: first.body });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });

  test('are one when many ask at once', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => pay(api, user, kind, 'at-once', fields)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => !headers.has('idempotent-replayed'))).toHaveLength(1);
  });

  test('with a key used for another command are 409', async () => {
    const { body } = await pay(api, user, kind, 'other', fields);
    const others = [
      { ...fields, amount: '5.01' },
      { ...fields, bankAccount: await addBankAccount(api, user) },
    ];
    for (const other of others) {
      expect(await pay(api, user, kind, 'other', other)).toMatchObject({
        status: 409,
        body: { code: 'idempotency_key_reused' },
      });
    }
    expect((await api.get(body.links.self, user.token)).body.amount).toBe('5.00');
  });

  test.each(['unverified', 'refused'] as const)('with a bank account that is %s are 422', async (status) => {
    const bankAccount = await addBankAccount(api, user, status);
    expect(await pay(api, user, kind, randomUUID(), { ...fields, bankAccount })).toMatchObject({
      status: 422,
      body: { code: `bank_account_${status}` },
    });
  });

  test('with somebody else’s bank account, or none, are 404', async () => {
    const stranger = await api.newUser(`stranger_${kind}`);
    for (const bankAccount of [await addBankAccount(api, stranger), 'ba_0_nothing']) {
      expect((await pay(api, user, kind, 'strange', { ...fields, bankAccount })).status).toBe(404);
    }
    expect(await row(transactionId(user.userId, 'strange'))).toBeUndefined();
  });

  test('that wait are answered with what is known then', async () => {
    const waited = await pay(api, user, kind, 'wait', fields, { headers: { Prefer: 'wait=1' } });
    expect(waited).toMatchObject({ status: 202, body: { status: 'pending' } });
    expect(waited.headers.get('preference-applied')).toBe('wait=1');
    expect((await pay(api, user, kind, 'wait', fields, { query: '?wait=31' })).status).toBe(422);
  });

  test('need a key', async () => {
    const answer = await api.post(`/v1/${kind}`, fields, user.token);
    expect(answer).toMatchObject({ status: 400, body: { code: 'missing_idempotency_key' } });
  });
});

test('a payment whose post is not answered in time is outcome_unknown, and the same request later settles it', async () => {
  const impatient = await TestApi.start();
  try {
    const user = await impatient.newUser('patience', { wallets: ['SGD'] });
    const fields = { wallet: 'patience.SGD', amount: '1.00', bankAccount: await addBankAccount(impatient, user) };
    const letGo = await holdChain(impatient.database);
    const answer = await pay(impatient, user, 'deposits', 'one', fields);
    await letGo();
    expect(answer).toMatchObject({ status: 503, body: { code: 'outcome_unknown' } });
    expect((await pay(impatient, user, 'deposits', 'one', fields)).status).toBe(202);
  } finally {
    await impatient.close();
  }
});
