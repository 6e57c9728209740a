import { walletName } from '../../contracts/ids';
import type { EntryView, TransactionView } from '../../contracts/schemas';
import type { Command, Outcome, TransactionFacts } from '../../ledger/commands';
import { transactionId } from '../../ledger/identity';
import { TestApi, type TestUser } from '../support/api';

let api: TestApi;
let keys = 0;
beforeAll(async () => (api = await TestApi.start()));
afterAll(() => api.close());

type Ask = Partial<Pick<TransactionFacts, 'id' | 'messageSealed' | 'toNameSealed'>> & { currency?: string };

async function factsOf(from: TestUser, to: TestUser | undefined, amountMinor: bigint, ask: Ask = {}) {
  const { currency = 'SGD', ...rest } = ask;
  const account = async (user: TestUser) =>
    (await api.deps.names.resolve({ username: user.username, currency }))!.accountId;
  const id = transactionId(from.userId, `history ${keys++}`);
  const [source, target] = [await account(from), to && (await account(to))];
  return {
    id,
    type: 'transfer',
    actorId: from.userId,
    hash: id,
    from: source,
    to: target,
    amountMinor,
    currency,
    ...rest,
  } as const;
}

async function post(...commands: Command[]): Promise<Outcome[]> {
  return api.deps.shards.shard(0).poster.post(commands);
}

async function pay(from: TestUser, to: TestUser | undefined, amountMinor: bigint, ask?: Ask): Promise<string> {
  const facts = await factsOf(from, to, amountMinor, ask);
  await post({ kind: 'transfer', facts });
  return facts.id;
}

/** Two users of their own for a test, the first with money. */
async function pair(name: string, amount = '100.00'): Promise<[TestUser, TestUser]> {
  const [one, other] = [
    await api.newUser(`${name}_a`, { wallets: ['SGD'] }),
    await api.newUser(`${name}_b`, { wallets: ['SGD'] }),
  ];
  await api.fund(one.username, 'SGD', amount);
  return [one, other];
}

const walletOf = (user: TestUser) => walletName({ username: user.username, currency: 'SGD' });
const entriesPath = (user: TestUser, query = '') => `/v1/wallets/${walletOf(user)}/entries?${query}`;
const ids = (rows: { id: string }[]) => rows.map((row) => row.id);

async function list<View>(path: string, token: string): Promise<View[]> {
  const { status, body } = await api.get(path, token);
  expect(status).toBe(200);
  return body.data as View[];
}

/** Every page from the first to the last; `between` runs after each. */
async function allPages<View>(path: string, token: string, between?: () => Promise<unknown>): Promise<View[][]> {
  const pages: View[][] = [];
  let cursor = '';
  for (;;) {
    const { status, body } = await api.get(`${path}${cursor}`, token);
    expect(status).toBe(200);
    pages.push(body.data as View[]);
    if (body.nextCursor === null) return pages;
    cursor = `&cursor=${body.nextCursor}`;
    await between?.();
  }
}

const minor = (amount: string) => BigInt(amount.replace('.', ''));

describe('the entries of a wallet', () => {
  test('say what moved, with whom, and the balance before and after', async () => {
    const [alice, bob] = await pair('lines');
    const messageSealed = api.deps.sealer.seal('for lunch ☕');
    const id = await pay(alice, bob, 1250n, { messageSealed });

    const [sent, opening] = await list<EntryView>(entriesPath(alice), alice.token);
    expect(sent).toMatchObject({
      transactionId: id,
      type: 'transfer',
      amount: '-12.50',
      currency: 'SGD',
      balanceBefore: '100.00',
      balanceAfter: '87.50',
      counterparty: walletOf(bob),
      message: 'for lunch ☕',
    });
    expect(opening).toMatchObject({ type: 'opening', amount: '100.00', counterparty: '@bank.SGD', message: null });
    const [received] = await list<EntryView>(entriesPath(bob), bob.token);
    expect(received).toMatchObject({
      transactionId: id,
      amount: '12.50',
      balanceBefore: '0.00',
      balanceAfter: '12.50',
      counterparty: walletOf(alice),
      message: 'for lunch ☕',
    });
    expect(received!.id).toMatch(/^en_0_\d+_\d+$/);
    expect(received!.id).not.toBe(sent!.id);
  });

  test('come each once and in order, page by page, while new ones arrive', async () => {
    const [alice, bob] = await pair('pages');
    const sent: string[] = [];
    // Some share a block, as they do when many come at once.
    for (let block = 0; block < 4; block++) {
      sent.push(...(await Promise.all(Array.from({ length: 1 + block }, () => pay(alice, bob, 1n)))));
    }
    const before = await list<EntryView>(entriesPath(bob, 'limit=200'), bob.token);
    const pages = await allPages<EntryView>(entriesPath(bob, 'limit=3'), bob.token, () => pay(alice, bob, 1n));
    expect(pages.map((page) => page.length)).toEqual([3, 3, 3, 1]);
    expect(pages.flat()).toEqual(before);
    expect(before.map((entry) => entry.transactionId).sort()).toEqual(sent.sort());
  });

  test('chain: each begins with the balance at which the one before it ended', async () => {
    const [alice, bob] = await pair('chain');
    for (let turn = 0n; turn < 8n; turn++) {
      await (turn % 3n === 2n ? pay(bob, alice, turn) : pay(alice, bob, 100n * turn + 7n));
    }
    for (const user of [alice, bob]) {
      const entries = (await list<EntryView>(entriesPath(user), user.token)).reverse();
      let balance = 0n;
      for (const entry of entries) {
        expect(minor(entry.balanceBefore)).toBe(balance);
        balance += minor(entry.amount);
        expect(minor(entry.balanceAfter)).toBe(balance);
      }
      const { body } = await api.get(`/v1/wallets/${walletOf(user)}`, user.token);
      expect(minor(body.balance)).toBe(balance);
    }
  });

  test('are filtered by type', async () => {
    const [alice, bob] = await pair('kinds');
    await pay(alice, bob, 1n);
    expect(await list(entriesPath(alice, 'type=opening'), alice.token)).toMatchObject([{ type: 'opening' }]);
    expect(await list(entriesPath(alice, 'type=transfer'), alice.token)).toMatchObject([{ type: 'transfer' }]);
    expect(await list(entriesPath(bob, 'type=opening'), bob.token)).toEqual([]);
  });

  test('are filtered by time: `since` is included, `until` is not', async () => {
    const [alice, bob] = await pair('times');
    for (let turn = 0; turn < 3; turn++) {
      await pay(alice, bob, 1n);
      await new Promise((resume) => setTimeout(resume, 5));
    }
    const [newest, middle, oldest] = await list<EntryView>(entriesPath(bob), bob.token);
    const between = async (query: string) => ids(await list<EntryView>(entriesPath(bob, query), bob.token));
    const justAfter = middle!.createdAt.replace('Z', '001Z');

    expect(await between(`since=${middle!.createdAt}`)).toEqual([newest!.id, middle!.id]);
    expect(await between(`until=${middle!.createdAt}`)).toEqual([oldest!.id]);
    expect(await between(`since=${justAfter}`)).toEqual([newest!.id]);
    expect(await between(`until=${justAfter}`)).toEqual([middle!.id, oldest!.id]);
    expect(await between(`since=${middle!.createdAt}&until=${newest!.createdAt}`)).toEqual([middle!.id]);
    expect(await between(`since=${newest!.createdAt}&until=${oldest!.createdAt}`)).toEqual([]);
    expect(await between('since=9999-12-31T23:59:59.999Z')).toEqual([]);
    expect(await between('since=0000-01-01T00:00:00Z')).toHaveLength(3);
    expect(await between('until=0000-01-01T00:00:00Z')).toEqual([]);
  });

  test('are not for another user, whether the wallet is there or not', async () => {
    const [alice, bob] = await pair('strange');
    for (const path of [entriesPath(alice), '/v1/wallets/nobody_here.SGD/entries', '/v1/wallets/@bank.SGD/entries']) {
      expect(await api.get(path, bob.token)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    expect((await api.get(`/v1/wallets/${bob.username}.JPY/entries`, bob.token)).status).toBe(404);
  });
});

describe('a transaction', () => {
  test('is shown whole to both parties, with its timeline', async () => {
    const [alice, bob] = await pair('whole');
    const id = await pay(alice, bob, 100n, { messageSealed: api.deps.sealer.seal('hello') });
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
    const [alice, bob] = await pair('private');
    const stranger = await api.newUser('private_c', { wallets: ['SGD'] });
    const id = await pay(alice, bob, 100n);
    for (const each of [id, id.replace('tx_0', 'tx_7'), `tx_0_${'a'.repeat(26)}`, 'tx_0_short', alice.userId, '%00']) {
      expect(await api.get(`/v1/transactions/${each}`, stranger.token)).toMatchObject({ status: 404 });
    }
  });

  test('is shown by id to staff, who see the words of errors', async () => {
    const [alice, bob] = await pair('stuck');
    const facts = await factsOf(alice, bob, 500n);
    await post({ kind: 'pend', facts, owner: 'transfer/x' });
    const lastError = 'connect ECONNREFUSED 10.0.0.7';
    await post({ kind: 'attention', facts, owner: 'transfer/x', reason: 'It was tried for too long.', lastError });

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
    const [alice, bob] = await pair('refused', '1.00');
    const rejected = await pay(alice, bob, 5000n);
    const pending = await factsOf(alice, bob, 1n);
    await post({ kind: 'pend', facts: pending, owner: 'transfer/y' });

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
    expect(ids(await list<TransactionView>('/v1/transactions?type=transfer', alice.token))).toEqual([
      pending.id,
      rejected,
    ]);
    expect(await list('/v1/transactions', bob.token)).toEqual([]);
    await post({ kind: 'transfer', facts: pending });
    expect(ids(await list<TransactionView>('/v1/transactions', bob.token))).toEqual([pending.id]);
    expect((await api.get(`/v1/transactions/${pending.id}`, bob.token)).status).toBe(200);
  });

  test('to somebody unknown shows the name as it was typed', async () => {
    const [alice] = await pair('typo');
    const id = await pay(alice, undefined, 100n, { toNameSealed: api.deps.sealer.seal('nobdy.SGD') });
    expect((await api.get(`/v1/transactions/${id}`, alice.token)).body).toMatchObject({
      status: 'rejected',
      reason: 'unknown_recipient',
      to: 'nobdy.SGD',
    });
  });
});

describe('the list of transactions', () => {
  test('merges all of a user’s wallets and both directions, newest first, each once over all pages', async () => {
    const [alice, bob] = await pair('merge');
    for (const user of [alice, bob]) {
      await api.post('/v1/wallets', { currency: 'JPY' }, user.token);
    }
    await api.fund(alice.username, 'JPY', '1000');
    const sent: string[] = [];
    for (let turn = 0; turn < 4; turn++) {
      sent.push(await pay(alice, bob, 10n));
      sent.push(await pay(bob, alice, 1n));
      sent.push(await pay(alice, bob, 2n, { currency: 'JPY' }));
    }
    const more = () => pay(alice, bob, 1n);
    const pages = await allPages<TransactionView>('/v1/transactions?limit=5', alice.token, more);
    expect(pages.map((page) => page.length)).toEqual([5, 5, 4]);
    const seen = pages.flat();
    expect(ids(seen).slice(0, 12)).toEqual(sent.reverse());
    expect(seen.slice(12).map((each) => each.type)).toEqual(['opening', 'opening']);
    expect(new Set(ids(seen)).size).toBe(14);
  });

  test('is filtered by wallet, status, type and time', async () => {
    const [alice, bob] = await pair('sieve', '5.00');
    await api.post('/v1/wallets', { currency: 'JPY' }, alice.token);
    await api.fund(alice.username, 'JPY', '1000');
    const completed = await pay(alice, bob, 100n);
    await new Promise((resume) => setTimeout(resume, 5));
    const rejected = await pay(alice, bob, 9900n);
    const pending = await factsOf(alice, bob, 1n);
    await post({ kind: 'pend', facts: pending, owner: 'transfer/z' });
    const cancelled = await factsOf(alice, bob, 1n);
    await post({ kind: 'cancel', facts: cancelled, reason: 'A person cancelled it.' });

    const find = async (query: string) =>
      ids(await list<TransactionView>(`/v1/transactions?type=transfer&${query}`, alice.token));
    expect(await find('status=completed')).toEqual([completed]);
    expect(await find('status=rejected')).toEqual([rejected]);
    expect(await find('status=pending')).toEqual([pending.id]);
    expect(await find('status=cancelled')).toEqual([cancelled.id]);
    expect(await find('status=needs_attention')).toEqual([]);
    expect(await find(`wallet=${alice.username}.JPY`)).toEqual([]);
    expect(await find(`wallet=${alice.username.toUpperCase()}.sgd`)).toHaveLength(4);
    expect(await list(`/v1/transactions?type=opening`, alice.token)).toHaveLength(2);
    expect(await list(`/v1/transactions?type=opening&wallet=${alice.username}.JPY`, alice.token)).toHaveLength(1);
    expect(await list('/v1/transactions?status=rejected', bob.token)).toEqual([]);

    const { createdAt } = (await api.get(`/v1/transactions/${rejected}`, alice.token)).body as TransactionView;
    expect(await find(`since=${createdAt}`)).toContain(rejected);
    expect(await find(`since=${createdAt}`)).not.toContain(completed);
    expect(await find(`until=${createdAt}`)).toEqual([completed]);
  });

  test('of a user without wallets is empty, and a wallet of another user is 404', async () => {
    const [alice] = await pair('empty');
    const user = await api.newUser('walletless');
    expect((await api.get('/v1/transactions', user.token)).body).toEqual({ data: [], nextCursor: null });
    for (const wallet of [walletOf(alice), 'walletless.SGD']) {
      expect((await api.get(`/v1/transactions?wallet=${wallet}`, user.token)).status).toBe(404);
    }
  });
});

describe.each(['/v1/transactions', '/v1/wallets/checked.SGD/entries'])('%s', (path) => {
  let user: TestUser;
  beforeAll(async () => {
    const token = api.deps.tokens.issue;
    const account = await api.deps.names.resolve({ username: 'checked', currency: 'SGD' });
    user = account
      ? { userId: account.ownerId, username: 'checked', roles: ['customer'], token: '' }
      : await api.newUser('checked', { wallets: ['SGD'] });
    user.token = token(user).accessToken;
  });

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
    expect(await api.get(`${path}?${query}`, user.token)).toMatchObject({
      status: 422,
      body: { code: 'invalid_request', errors: [{ field }] },
    });
  });

  test('takes 200 as the limit, and needs a token', async () => {
    expect((await api.get(`${path}?limit=200`, user.token)).status).toBe(200);
    expect((await api.get(path)).status).toBe(401);
  });
});
