import type { EntryView } from '../../contracts/schemas';
import { TestApi, type TestUser } from '../support/api';
import { aMoment, History, idsOf, walletOf } from '../support/history';

let api: TestApi;
let history: History;
beforeAll(async () => {
  api = await TestApi.start();
  history = new History(api);
});
afterAll(() => api.close());

const entriesPath = (user: TestUser, query = '') => `/v1/wallets/${walletOf(user)}/entries?${query}`;
const minor = (amount: string) => BigInt(amount.replace('.', ''));

describe('the entries of a wallet', () => {
  test('say what moved, with whom, and the balance before and after', async () => {
    const [alice, bob] = await history.pair('lines');
    const id = await history.pay(alice, bob, 1250n, { message: 'for lunch ☕' });

    const [sent, opening] = await history.list<EntryView>(entriesPath(alice), alice);
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
    const [received] = await history.list<EntryView>(entriesPath(bob), bob);
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
    const [alice, bob] = await history.pair('pages');
    const sent: string[] = [];
    // Some share a block, as they do when many come at once.
    for (let block = 0; block < 4; block++) {
      sent.push(...(await Promise.all(Array.from({ length: 1 + block }, () => history.pay(alice, bob, 1n)))));
    }
    const before = await history.list<EntryView>(entriesPath(bob, 'limit=200'), bob);
    const pages = await history.allPages<EntryView>(entriesPath(bob, 'limit=3'), bob, () =>
      history.pay(alice, bob, 1n),
    );
    expect(pages.map((page) => page.length)).toEqual([3, 3, 3, 1]);
    expect(pages.flat()).toEqual(before);
    expect(before.map((entry) => entry.transactionId).sort()).toEqual(sent.sort());
  });

  test('chain: each begins with the balance at which the one before it ended', async () => {
    const [alice, bob] = await history.pair('chain');
    for (let turn = 0n; turn < 8n; turn++) {
      await (turn % 3n === 2n ? history.pay(bob, alice, turn) : history.pay(alice, bob, 100n * turn + 7n));
    }
    for (const user of [alice, bob]) {
      const entries = (await history.list<EntryView>(entriesPath(user), user)).reverse();
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
    const [alice, bob] = await history.pair('kinds');
    await history.pay(alice, bob, 1n);
    expect(await history.list(entriesPath(alice, 'type=opening'), alice)).toMatchObject([{ type: 'opening' }]);
    expect(await history.list(entriesPath(alice, 'type=transfer'), alice)).toMatchObject([{ type: 'transfer' }]);
    expect(await history.list(entriesPath(bob, 'type=opening'), bob)).toEqual([]);
  });

  test('are filtered by time: `since` is included, `until` is not', async () => {
    const [alice, bob] = await history.pair('times');
    for (let turn = 0; turn < 3; turn++) {
      await history.pay(alice, bob, 1n);
      await aMoment();
    }
    const [newest, middle, oldest] = await history.list<EntryView>(entriesPath(bob), bob);
    const between = async (query: string) => idsOf(await history.list<EntryView>(entriesPath(bob, query), bob));
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
    const [alice, bob] = await history.pair('strange');
    for (const path of [entriesPath(alice), '/v1/wallets/nobody_here.SGD/entries', '/v1/wallets/@bank.SGD/entries']) {
      expect(await api.get(path, bob.token)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    expect((await api.get(`/v1/wallets/${bob.username}.JPY/entries`, bob.token)).status).toBe(404);
  });
});
