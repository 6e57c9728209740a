import type { Answer, TestUser } from '../support/api';
import { TestBank } from '../support/bank';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { Payments } from '../support/payment-runs';

let bank: TestBank;
let holdfast: TestHoldfast;
let ops: TestUser;
beforeAll(async () => {
  bank = await TestBank.start();
  holdfast = await TestHoldfast.start({ shards: 2, rail: bank.rail });
  ops = await holdfast.api.newUser('ops_limits', { roles: ['ops'] });
});
afterAll(async () => {
  await holdfast?.close();
  await bank?.close();
});

const limitsPath = (user: TestUser, kind?: string) =>
  `/v1/ops/wallets/${walletOf(user)}/limits${kind === undefined ? '' : `/${kind}`}`;
const set = (user: TestUser, kind: string, limits: object, by = ops) =>
  holdfast.api.ask('PUT', limitsPath(user, kind), { token: by.token, body: { reason: 'she asked us to', ...limits } });
const own = async (user: TestUser): Promise<object[]> => (await holdfast.api.get('/v1/limits', user.token)).body.data;
const pay = (from: TestUser, to: TestUser, amount: string, key = amount): Promise<Answer> =>
  holdfast.transfer(from, key, { from: walletOf(from), to: walletOf(to), amount });

describe('a limit that staff gives', () => {
  test('is shown to the wallet’s owner, with what is used and left and when it begins anew', async () => {
    const alice = await holdfast.personOn(0, 'shown');
    const bob = await holdfast.personOn(0, 'shown_b');
    expect(await own(alice)).toEqual([]);
    const { status, body } = await set(alice, 'transfer', { day: '30.00', month: '40.00' });
    expect(status).toBe(200);
    expect(body.own).toEqual({ transfer: { day: '30.00', month: '40.00' } });
    expect((await pay(alice, bob, '12.50')).status).toBe(201);
    const now = new Date();
    const midnight = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1));
    const nextMonth = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1));
    const shown = { wallet: walletOf(alice), kind: 'transfer', used: '12.50' };
    expect(await own(alice)).toEqual([
      { ...shown, period: 'day', limit: '30.00', left: '17.50', resetsAt: midnight.toISOString() },
      { ...shown, period: 'month', limit: '40.00', left: '27.50', resetsAt: nextMonth.toISOString() },
    ]);
    expect((await holdfast.api.get(limitsPath(alice), ops.token)).body.data).toEqual(await own(alice));
    expect(await own(bob)).toEqual([]);
  });

  test('rejects what would pass it, and says which; the replay says the same', async () => {
    const alice = await holdfast.personOn(0, 'rejects');
    const bob = await holdfast.personOn(0, 'rejects_b');
    await set(alice, 'transfer', { day: '30.00' });
    await pay(alice, bob, '20.00');
    for (const again of [false, true]) {
      const { status, body, headers } = await pay(alice, bob, '10.01');
      expect({ status, body }).toMatchObject({
        status: 422,
        body: {
          code: 'transaction_rejected',
          detail: 'limit_exceeded',
          transaction: { status: 'rejected', reason: 'limit_exceeded' },
          limit: { kind: 'transfer', period: 'day', limit: '30.00', used: '20.00', left: '10.00' },
        },
      });
      expect(headers.get('idempotent-replayed')).toBe(again ? 'true' : null);
    }
    expect(await holdfast.balance(alice)).toBe('80.00');
    expect((await pay(alice, bob, '10.00')).status).toBe(201);
  });

  test('holds for each transfer of a bulk request, in their order', async () => {
    const alice = await holdfast.personOn(0, 'bulky');
    const bob = await holdfast.personOn(0, 'bulky_b');
    await set(alice, 'transfer', { month: '3.00' });
    const sides = { from: walletOf(alice), to: walletOf(bob) };
    const amounts = ['2.00', '2.00', '1.00'];
    const asked = amounts.map((amount, n) => ({ ...sides, amount, idempotencyKey: `bulk_${n}` }));
    const { body } = await holdfast.bulk(alice, asked);
    expect(body.results.map(({ status }: { status: number }) => status)).toEqual([201, 422, 201]);
    expect(body.results[1].problem.limit).toMatchObject({ period: 'month', used: '2.00', left: '1.00' });
  });

  test('counts at the source of a transfer to another shard; what is given back there, or refunded, is no use of it', async () => {
    const alice = await holdfast.personOn(0, 'crossing');
    const bob = await holdfast.personOn(1, 'crossing_b', '50.00');
    await set(alice, 'transfer', { day: '10.00' });
    await set(bob, 'transfer', { day: '1.00' });
    const { body } = await pay(alice, bob, '6.00');
    expect(await pay(alice, bob, '5.00')).toMatchObject({ status: 422, body: { limit: { used: '6.00' } } });
    expect(await own(bob)).toMatchObject([{ used: '0.00' }]);
    const back = { token: bob.token, body: {}, headers: { 'idempotency-key': 'back' } };
    expect((await holdfast.api.ask('POST', `/v1/transactions/${body.id}/refund`, back)).status).toBe(201);
    expect(await own(bob)).toMatchObject([{ used: '0.00' }]);
    expect(await own(alice)).toMatchObject([{ used: '6.00' }]);

    const wallet = await holdfast.api.deps.names.resolve({ username: bob.username, currency: 'SGD' });
    const freeze = (kind: 'freeze' | 'unfreeze') =>
      holdfast.shards.shard(1).poster.post([{ kind, accountId: wallet!.accountId, actorId: ops.userId }]);
    await freeze('freeze');
    expect((await pay(alice, bob, '4.00')).body.transaction.reason).toBe('wallet_frozen');
    await freeze('unfreeze');
    expect(await own(alice)).toMatchObject([{ used: '6.00', left: '4.00' }]);
  });

  test('refuses a withdrawal and a deposit at once, with nothing held and nothing asked of the bank', async () => {
    const alice = await holdfast.personOn(0, 'paying');
    const bankAccount = await new Payments(holdfast).bankAccount(alice, {});
    for (const kind of ['withdrawal', 'deposit']) {
      await set(alice, kind, { day: '10.00' });
      const request = { wallet: walletOf(alice), amount: '10.01', bankAccount };
      const headers = { 'idempotency-key': kind };
      const answer = await holdfast.api.post(`/v1/${kind}s`, request, alice.token, headers);
      expect(answer).toMatchObject({ status: 422, body: { limit: { kind, period: 'day', left: '10.00' } } });
    }
    const { body } = await holdfast.api.get(`/v1/wallets/${walletOf(alice)}`, alice.token);
    expect(body).toMatchObject({ balance: '100.00', held: '0.00' });
  });

  test('can be lifted, changed and taken away, each told of in the audit', async () => {
    const alice = await holdfast.personOn(0, 'audited');
    await set(alice, 'transfer', { day: '10.00', month: null });
    await set(alice, 'withdrawal', { day: '20.00' });
    await set(alice, 'withdrawal', { day: '20.00' });
    const ended = await holdfast.api.ask('DELETE', limitsPath(alice, 'transfer'), { token: ops.token });
    expect(ended).toMatchObject({ status: 200, body: { own: { withdrawal: { day: '20.00' } } } });
    const { body } = await holdfast.api.get(`/v1/ops/audit?subject=${walletOf(alice)}&kind=limits_changed`, ops.token);
    expect(body.data).toMatchObject([
      { detail: { kind: 'transfer', limits: null } },
      { detail: { kind: 'withdrawal', limits: { day: '2000' } }, note: 'she asked us to' },
      { detail: { kind: 'transfer', limits: { day: '1000', month: null } }, role: 'ops' },
    ]);
  });

  test('is for staff to give, to others, in the digits of the currency', async () => {
    const alice = await holdfast.personOn(0, 'staffed');
    const both = await holdfast.api.newUser('both_limits', { roles: ['ops', 'customer'], wallets: ['SGD'] });
    expect(await set(alice, 'transfer', { day: '1.00' }, alice)).toMatchObject({ status: 403 });
    expect(await set(both, 'transfer', { day: '1.00' }, both)).toMatchObject({ body: { code: 'own_request' } });
    expect(await set(alice, 'transfer', {})).toMatchObject({ status: 422 });
    expect(await set(alice, 'transfer', { day: '1.005' })).toMatchObject({ body: { errors: [{ field: '/day' }] } });
    expect(await set(alice, 'gift', { day: '1.00' })).toMatchObject({ status: 404 });
  });
});
