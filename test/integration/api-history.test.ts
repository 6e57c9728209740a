import type { TransactionView } from '../../contracts/schemas';
import { TestApi, type TestUser } from '../support/api';
import { aMoment, History, idsOf, walletOf } from '../support/history';

let api: TestApi;
let history: History;
beforeAll(async () => {
  api = await TestApi.start();
  history = new History(api);
});
afterAll(() => api.close());

describe('a transaction', () => {
  test('is shown whole to both parties, with its timeline', async () => {
    const [alice, bob] = await history.pair('whole');
    const id = await history.pay(alice, bob, 100n, { message: 'hello' });
    const seen = await api.get(`/v1/transactions/${id}`, alice.token);
    const { createdAt } = seen.body as TransactionView;
    expect(seen).toMatchObject({
      status: 200,
      body: {
        id,
        type: 'transfer',
        status: 'completed',
        from: walletOf(alice),
        to: walletOf(bob),
        amount: '1.00',
        currency: 'SGD',
        message: 'hello',
        reason: null,
        completedAt: createdAt,
        links: { self: `/v1/transactions/${id}` },
        timeline: [{ at: createdAt, event: 'completed', detail: null }],
      },
    });
    expect(await api.get(`/v1/transactions/${id}`, bob.token)).toMatchObject({ status: 200, body: seen.body });
  });

  test('is 404 for another user, and for an id that is none', async () => {
    const [alice, bob] = await history.pair('private');
    const stranger = await api.newUser('private_c', { wallets: ['SGD'] });
    const id = await history.pay(alice, bob, 100n);
    for (const each of [id, id.replace('tx_0', 'tx_7'), `tx_0_${'a'.repeat(26)}`, 'tx_0_short', alice.userId, '%00']) {
      expect(await api.get(`/v1/transactions/${each}`, stranger.token)).toMatchObject({ status: 404 });
    }
  });

  test('is shown by id to staff, who see the words of errors', async () => {
    const [alice, bob] = await history.pair('stuck');
    const facts = await history.factsOf(alice, bob, 500n);
    await history.post({ kind: 'pend', facts, owner: 'transfer/x' });
    const lastError = 'connect ECONNREFUSED 10.0.0.7';
    await history.post({
      kind: 'attention',
      facts,
      owner: 'transfer/x',
      reason: 'It was tried for too long.',
      lastError,
    });

    for (const role of ['ops', 'auditor', 'admin'] as const) {
      const staff = await api.newUser(`stuck_${role}`, { roles: [role] });
      const { status, body } = await api.get(`/v1/transactions/${facts.id}`, staff.token);
      expect({ status, timeline: body.timeline }).toMatchObject({
        status: 200,
        timeline: [
          { event: 'pending', detail: null },
          { event: 'needs_attention', detail: `It was tried for too long. lastError: ${lastError}` },
        ],
      });
      expect((await api.get('/v1/transactions', staff.token)).status).toBe(403);
    }
    const { body } = await api.get(`/v1/transactions/${facts.id}`, alice.token);
    expect(body).toMatchObject({ status: 'needs_attention', reason: 'It was tried for too long.', completedAt: null });
    expect(JSON.stringify(body)).not.toContain('10.0.0.7');
  });

  test('that is open or rejected is shown to its sender and not to its recipient', async () => {
    const [alice, bob] = await history.pair('refused', '1.00');
    const rejected = await history.pay(alice, bob, 5000n);
    const pending = await history.factsOf(alice, bob, 1n);
    await history.post({ kind: 'pend', facts: pending, owner: 'transfer/y' });

    expect(await api.get(`/v1/transactions/${rejected}`, alice.token)).toMatchObject({
      status: 200,
      body: {
        status: 'rejected',
        reason: 'insufficient_funds',
        timeline: [{ event: 'rejected', detail: 'The wallet has less available than the amount.' }],
      },
    });
    for (const id of [rejected, pending.id]) {
      expect((await api.get(`/v1/transactions/${id}`, bob.token)).status).toBe(404);
    }
    expect(idsOf(await history.list<TransactionView>('/v1/transactions?type=transfer', alice))).toEqual([
      pending.id,
      rejected,
    ]);
    expect(await history.list('/v1/transactions', bob)).toEqual([]);
    await history.post({ kind: 'transfer', facts: pending });
    expect(idsOf(await history.list<TransactionView>('/v1/transactions', bob))).toEqual([pending.id]);
    expect((await api.get(`/v1/transactions/${pending.id}`, bob.token)).status).toBe(200);
  });

  test('to somebody unknown shows the name as it was typed', async () => {
    const [alice] = await history.pair('typo');
    const id = await history.pay(alice, undefined, 100n, { toName: 'nobdy.SGD' });
    expect((await api.get(`/v1/transactions/${id}`, alice.token)).body).toMatchObject({
      status: 'rejected',
      reason: 'unknown_recipient',
      to: 'nobdy.SGD',
    });
  });
});

describe('the list of transactions', () => {
  test('merges all of a user’s wallets and both directions, newest first, each once over all pages', async () => {
    const [alice, bob] = await history.pair('merge');
    for (const user of [alice, bob]) {
      await api.post('/v1/wallets', { currency: 'JPY' }, user.token);
    }
    await api.fund(alice.username, 'JPY', '1000');
    const sent: string[] = [];
    for (let turn = 0; turn < 4; turn++) {
      sent.push(await history.pay(alice, bob, 10n));
      sent.push(await history.pay(bob, alice, 1n));
      sent.push(await history.pay(alice, bob, 2n, { currency: 'JPY' }));
    }
    const more = () => history.pay(alice, bob, 1n);
    const pages = await history.allPages<TransactionView>('/v1/transactions?limit=5', alice, more);
    expect(pages.map((page) => page.length)).toEqual([5, 5, 4]);
    const seen = pages.flat();
    expect(idsOf(seen).slice(0, 12)).toEqual(sent.reverse());
    expect(seen.slice(12).map((each) => each.type)).toEqual(['opening', 'opening']);
    expect(new Set(idsOf(seen)).size).toBe(14);
  });

  test('is filtered by wallet, status, type and time', async () => {
    const [alice, bob] = await history.pair('sieve', '5.00');
    await api.post('/v1/wallets', { currency: 'JPY' }, alice.token);
    await api.fund(alice.username, 'JPY', '1000');
    const completed = await history.pay(alice, bob, 100n);
    await aMoment();
    const rejected = await history.pay(alice, bob, 9900n);
    const pending = await history.factsOf(alice, bob, 1n);
    await history.post({ kind: 'pend', facts: pending, owner: 'transfer/z' });
    const cancelled = await history.factsOf(alice, bob, 1n);
    await history.post({ kind: 'cancel', facts: cancelled, reason: 'A person cancelled it.' });

    const find = async (query: string) =>
      idsOf(await history.list<TransactionView>(`/v1/transactions?type=transfer&${query}`, alice));
    expect(await find('status=completed')).toEqual([completed]);
    expect(await find('status=rejected')).toEqual([rejected]);
    expect(await find('status=pending')).toEqual([pending.id]);
    expect(await find('status=cancelled')).toEqual([cancelled.id]);
    expect(await find('status=needs_attention')).toEqual([]);
    expect(await find(`wallet=${alice.username}.JPY`)).toEqual([]);
    expect(await find(`wallet=${alice.username.toUpperCase()}.sgd`)).toHaveLength(4);
    expect(await history.list(`/v1/transactions?type=opening`, alice)).toHaveLength(2);
    expect(await history.list(`/v1/transactions?type=opening&wallet=${alice.username}.JPY`, alice)).toHaveLength(1);
    expect(await history.list('/v1/transactions?status=rejected', bob)).toEqual([]);

    const { createdAt } = (await api.get(`/v1/transactions/${rejected}`, alice.token)).body as TransactionView;
    expect(await find(`since=${createdAt}`)).toContain(rejected);
    expect(await find(`since=${createdAt}`)).not.toContain(completed);
    expect(await find(`until=${createdAt}`)).toEqual([completed]);
  });

  test('of a user without wallets is empty, and a wallet of another user is 404', async () => {
    const [alice] = await history.pair('empty');
    const user = await api.newUser('walletless');
    expect((await api.get('/v1/transactions', user.token)).body).toEqual({ data: [], nextCursor: null });
    for (const wallet of [walletOf(alice), 'walletless.SGD']) {
      expect((await api.get(`/v1/transactions?wallet=${wallet}`, user.token)).status).toBe(404);
    }
  });
});

let checked: TestUser;
beforeAll(async () => (checked = await api.newUser('checked', { wallets: ['SGD'] })));

describe.each(['/v1/transactions', '/v1/wallets/checked.SGD/entries'])('%s', (path) => {
  test.each([
    ['cursor=garbage', 'query cursor'],
    [`cursor=${Buffer.from('2.1.1').toString('base64url')}`, 'query cursor'],
    [`cursor=${Buffer.from('1.9999999999999999999.1').toString('base64url')}`, 'query cursor'],
    ['limit=0', 'query limit'],
    ['limit=201', 'query limit'],
    ['since=yesterday', 'query since'],
    ['until=2026-02-30T00:00:00Z', 'query until'],
    ['type=gift', 'query type'],
    ['sort=amount', 'query sort'],
  ])('refuses ?%s and names the field', async (query, field) => {
    expect(await api.get(`${path}?${query}`, checked.token)).toMatchObject({
      status: 422,
      body: { code: 'invalid_request', errors: [{ field }] },
    });
  });

  test('takes 200 as the limit, and needs a token', async () => {
    expect((await api.get(`${path}?limit=200`, checked.token)).status).toBe(200);
    expect((await api.get(path)).status).toBe(401);
  });
});
