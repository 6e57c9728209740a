import { verifyShard } from '../../ledger/verify';
import type { TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { Wire } from '../support/wire';

/** Before shard 1's database. */
let far: Wire;
let holdfast: TestHoldfast;
let alice: TestUser;
let carol: TestUser;
let bob: TestUser;
let round = 0;

beforeAll(async () => {
  holdfast = await TestHoldfast.start({
    shards: 2,
    patienceMs: 1_000,
    databaseUrl: async ({ appUrl }, shard) => {
      if (shard === 0) return appUrl;
      far = await Wire.to(appUrl);
      return far.urlOf(appUrl);
    },
  });
});
beforeEach(async () => {
  round += 1;
  [alice, carol, bob] = await Promise.all([
    holdfast.personOn(0, `alice${round}`),
    holdfast.personOn(0, `carol${round}`),
    holdfast.personOn(1, `bob${round}`),
  ]);
});
afterEach(() => far.comeBack());
afterAll(async () => {
  await holdfast.close();
  await far.close();
});

const send = (from: TestUser, to: TestUser, amount: string, key = `key-${Math.random()}`) =>
  holdfast.transfer(from, key, { from: walletOf(from), to: walletOf(to), amount, message: 'over there' });

async function booksAreWhole(): Promise<void> {
  const clearing = await Promise.all(
    holdfast.shards.all.map(async ({ db }) => {
      expect((await verifyShard(db)).findings).toEqual([]);
      const rows = await db.selectFrom('accounts').select('balance').where('id', 'like', '%@clearing.SGD').execute();
      return rows[0]?.balance ?? 0n;
    }),
  );
  expect(clearing.reduce((sum, balance) => sum + balance, 0n)).toBe(0n);
}

test('a transfer to a user of another shard completes, and both read it, with message and counterparty', async () => {
  const { status, body } = await send(alice, bob, '30.00', 'cross');
  expect({ status, body }).toMatchObject({ status: 201, body: { status: 'completed' } });
  expect([await holdfast.balance(alice), await holdfast.balance(bob)]).toEqual(['70.00', '130.00']);
  for (const user of [alice, bob]) {
    const shown = { from: walletOf(alice), to: walletOf(bob), amount: '30.00', message: 'over there' };
    expect(await holdfast.read(user, body.id)).toMatchObject({ ...shown, status: 'completed' });
    const { body: list } = await holdfast.api.get('/v1/transactions?type=transfer', user.token);
    expect(list.data).toMatchObject([{ id: body.id }]);
  }
  const entries = await holdfast.api.get(`/v1/wallets/${walletOf(bob)}/entries?type=transfer`, bob.token);
  expect(entries.body.data).toMatchObject([
    {
      transactionId: body.id,
      amount: '30.00',
      balanceBefore: '100.00',
      balanceAfter: '130.00',
      counterparty: walletOf(alice),
    },
  ]);
  expect((await holdfast.api.get(`/v1/transactions/${body.id}`, carol.token)).status).toBe(404);
  const again = await send(alice, bob, '30.00', 'cross');
  expect(again).toMatchObject({ status: 201 });
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  await booksAreWhole();
});

test('a refusal of either side moves nothing and holds nothing', async () => {
  expect(await send(alice, bob, '100.01')).toMatchObject({
    status: 422,
    body: { transaction: { reason: 'insufficient_funds' } },
  });
  const { accountId } = (await holdfast.api.deps.names.resolve({ username: bob.username, currency: 'SGD' }))!;
  await holdfast.shards.shard(1).poster.post([{ kind: 'freeze', accountId, actorId: 'us_0_ops' }]);
  expect(await send(alice, bob, '1.00')).toMatchObject({
    status: 422,
    body: { transaction: { reason: 'wallet_frozen', status: 'rejected' } },
  });
  const { body } = await holdfast.api.get(`/v1/wallets/${walletOf(alice)}`, alice.token);
  expect(body).toMatchObject({ balance: '100.00', held: '0.00', available: '100.00' });
  await booksAreWhole();
});

test('a bulk request reaches both shards, each item with its own answer, in order', async () => {
  const item = (to: TestUser, amount: string, n: number) => ({
    idempotencyKey: `bulk ${n}`.replace(' ', '-'),
    from: walletOf(alice),
    to: walletOf(to),
    amount,
  });
  const { status, body } = await holdfast.bulk(alice, [
    item(bob, '1.00', 1),
    item(carol, '2.00', 2),
    item(bob, '500.00', 3),
    item(bob, '4.00', 4),
  ]);
  expect(status).toBe(207);
  expect(body.results.map((each: { status: number }) => each.status)).toEqual([201, 201, 422, 201]);
  expect(await Promise.all([alice, bob, carol].map((user) => holdfast.balance(user)))).toEqual([
    '93.00',
    '105.00',
    '102.00',
  ]);
  await booksAreWhole();
});

test('the recipient gives it back across, in parts, and never more than there was', async () => {
  const { body } = await send(alice, bob, '10.00');
  const refund = (amount: string, n: number) =>
    holdfast.api.post(`/v1/transactions/${body.id}/refund`, { amount }, bob.token, { 'idempotency-key': `back-${n}` });
  const answers = await Promise.all([1, 2, 3].map((n) => refund('4.00', n)));
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 422]);
  expect([await holdfast.balance(alice), await holdfast.balance(bob)]).toEqual(['98.00', '102.00']);
  expect(await holdfast.read(bob, body.id)).toMatchObject({ refunded: '8.00' });
  expect(await holdfast.read(alice, body.id)).toMatchObject({ refunded: '8.00' });
  await booksAreWhole();
});

test('with the target’s shard away only transfers to it wait; they complete by themselves when it is back', async () => {
  await send(alice, bob, '1.00'); // so that the names are known
  holdfast.lane.deadlineMs = 2_500;
  holdfast.transfers.groupMaxAgeMs = 60_000; // on a slow machine, too, the group is still at it when the shard is back
  far.goAway();
  const first = await send(alice, bob, '5.00', 'away');
  expect(first).toMatchObject({ status: 202, body: { status: 'pending' } });
  const wallet = await holdfast.api.get(`/v1/wallets/${walletOf(alice)}`, alice.token);
  expect(wallet.body).toMatchObject({ held: '5.00' });
  expect((await send(alice, carol, '1.00')).status).toBe(201);
  const next = await send(alice, bob, '5.00');
  expect(next).toMatchObject({ status: 503, body: { code: 'shard_unavailable', detail: 'Shard 1 is not reachable.' } });
  far.comeBack();
  await holdfast.becomes(alice, first.body.id, 'completed', 30_000);
  await eventually(async () => expect(await holdfast.balance(bob)).toBe('106.00'));
  await booksAreWhole();
});

test('a transfer that waits for the target’s shard can be cancelled, which holds once that shard has forbidden it', async () => {
  await send(alice, bob, '1.00');
  holdfast.lane.deadlineMs = 1_500;
  holdfast.transfers.groupMaxAgeMs = 4_000;
  far.goAway();
  const { body } = await send(alice, bob, '5.00', 'given-up');
  const handle = holdfast.workflowOf(body.id);
  await eventually(() => handle.describe(), { withinMs: 20_000 });
  await handle.signal('cancel');
  far.comeBack();
  const ended = await eventually(
    async () => {
      const transaction = await holdfast.read(alice, body.id);
      // The cancel may have given up a moment before the shard was back: somebody asks again.
      if (transaction.status === 'needs_attention') await handle.signal('retry');
      expect(['cancelled', 'completed']).toContain(transaction.status);
      return transaction;
    },
    { withinMs: 30_000 },
  );
  expect(await holdfast.balance(bob)).toBe(ended.status === 'completed' ? '106.00' : '101.00');
  const wallet = await holdfast.api.get(`/v1/wallets/${walletOf(alice)}`, alice.token);
  expect(wallet.body).toMatchObject({ held: '0.00' });
  await booksAreWhole();
});
