import { TestApi, type TestUser } from '../support/api';
import { currencyCodes, digitsOf } from '../../contracts/currencies';

let api: TestApi;
let asker: TestUser;
beforeAll(async () => {
  api = await TestApi.start();
  asker = await api.newUser('asker');
});
afterAll(() => api.close());

const open = (user: TestUser, currency: string) => api.post('/v1/wallets', { currency }, user.token);
const close = (user: TestUser, id: string) => api.ask('DELETE', `/v1/wallets/${id}`, { token: user.token });

async function setStatus(user: TestUser, currency: string, kind: 'freeze' | 'unfreeze'): Promise<void> {
  const account = await api.deps.names.resolve({ username: user.username, currency });
  const [outcome] = await api.deps.shards
    .forId(user.userId)!
    .poster.post([{ kind, accountId: account!.accountId, actorId: user.userId }]);
  expect(outcome).toMatchObject({ kind: 'wallet' });
}

describe('opening a wallet', () => {
  test('gives an empty one, named by its owner and currency', async () => {
    const user = await api.newUser('opener');
    const answer = await open(user, 'SGD');
    expect(answer).toMatchObject({
      status: 201,
      body: { id: 'opener.SGD', currency: 'SGD', status: 'open', balance: '0.00', held: '0.00', available: '0.00' },
    });
    expect(answer.headers.get('location')).toBe('/v1/wallets/opener.SGD');
  });

  test('again gives the same one', async () => {
    const user = await api.newUser('again');
    const first = await open(user, 'SGD');
    const second = await open(user, 'SGD');
    expect(second).toMatchObject({ status: 200, body: first.body });
  });

  test('twenty times at once opens one', async () => {
    const user = await api.newUser('eager');
    const answers = await Promise.all(Array.from({ length: 20 }, () => open(user, 'EUR')));
    expect(answers.map((answer) => answer.status).sort()).toEqual([...Array<number>(19).fill(200), 201]);
    expect((await api.get('/v1/wallets', user.token)).body.data).toHaveLength(1);
  });

  test('works in every ISO 4217 currency, each with its own digits', async () => {
    const user = await api.newUser('collector');
    for (const currency of currencyCodes) {
      const { status, body } = await open(user, currency);
      expect({ status, balance: body.balance }).toEqual({ status: 201, balance: (0).toFixed(digitsOf(currency)) });
    }
  });

  test.each(['XXX', 'ABC', 'sgd', '', 'SGDX'])('is refused in %j, which is no currency', async (currency) => {
    const user = await api.newUser(`no_${currency.toLowerCase() || 'empty'}_${currency === 'sgd' ? 'lower' : 'x'}`);
    expect(await open(user, currency)).toMatchObject({
      status: 422,
      body: { errors: [{ field: '/currency', message: 'must be an ISO 4217 code such as SGD' }] },
    });
  });

  test('opens nothing for a user of a database that is gone', async () => {
    const token = api.deps.tokens.issue({
      userId: 'us_0_aaaaaaaaaaaaaaaaaaaaaaaaaa',
      username: 'ghost',
      roles: ['customer'],
    }).accessToken;
    expect(await api.post('/v1/wallets', { currency: 'SGD' }, token)).toMatchObject({ status: 401 });
  });
});

describe('reading wallets', () => {
  test('shows balance, held and available in the currency’s digits', async () => {
    const user = await api.newUser('reader', { wallets: ['SGD', 'JPY'] });
    await api.fund('reader', 'SGD', '1234.50');
    await api.fund('reader', 'JPY', '500');
    expect((await api.get('/v1/wallets/reader.SGD', user.token)).body).toMatchObject({
      balance: '1234.50',
      held: '0.00',
      available: '1234.50',
    });
    expect((await api.get('/v1/wallets/reader.JPY', user.token)).body).toMatchObject({ balance: '500' });
  });

  test('takes the name in any case', async () => {
    const user = await api.newUser('shouty', { wallets: ['SGD'] });
    expect((await api.get('/v1/wallets/SHOUTY.sgd', user.token)).body).toMatchObject({ id: 'shouty.SGD' });
  });

  test('pages through all of them, each once', async () => {
    const currencies = ['AUD', 'CHF', 'EUR', 'GBP', 'JPY', 'SGD', 'USD'];
    const user = await api.newUser('pager', { wallets: currencies });
    const seen: string[] = [];
    let path: string | undefined = '/v1/wallets?limit=3';
    let pages = 0;
    while (path) {
      const { status, body } = await api.get(path, user.token);
      expect(status).toBe(200);
      seen.push(...body.data.map((each: { currency: string }) => each.currency));
      path = body.nextCursor === null ? undefined : `/v1/wallets?limit=3&cursor=${body.nextCursor}`;
      pages++;
    }
    expect({ seen, pages }).toEqual({ seen: currencies, pages: 3 });
  });

  test.each(['limit=0', 'limit=201', 'limit=ten', 'limit=1.5', 'cursor=x', 'limit=1&limit=2', 'page=2'])(
    'refuses ?%s and names the field',
    async (query) => {
      const answer = await api.get(`/v1/wallets?${query}`, asker.token);
      expect(answer).toMatchObject({ status: 422, body: { errors: [{ field: `query ${query.split('=')[0]}` }] } });
    },
  );

  test('answers 404 alike for another user’s wallet, one that is not there, and what is no name', async () => {
    await api.newUser('hidden', { wallets: ['SGD'] });
    const user = await api.newUser('curious');
    for (const id of ['hidden.SGD', 'curious.SGD', 'nobody.SGD', 'nonsense', '@bank.SGD', '%E0%A4%A']) {
      const answer = await api.get(`/v1/wallets/${id}`, user.token);
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  });
});

describe('closing a wallet', () => {
  test('keeps it, closed, and closing it again changes nothing', async () => {
    const user = await api.newUser('closer', { wallets: ['SGD'] });
    expect((await close(user, 'closer.SGD')).status).toBe(204);
    expect((await close(user, 'closer.SGD')).status).toBe(204);
    expect((await api.get('/v1/wallets/closer.SGD', user.token)).body).toMatchObject({ status: 'closed' });
  });

  test('is refused while there is money in it', async () => {
    const user = await api.newUser('rich', { wallets: ['SGD'] });
    await api.fund('rich', 'SGD', '0.01');
    expect(await close(user, 'rich.SGD')).toMatchObject({ status: 409, body: { code: 'wallet_not_empty' } });
    expect((await api.get('/v1/wallets/rich.SGD', user.token)).body).toMatchObject({ status: 'open' });
  });

  test('is refused while it is frozen', async () => {
    const user = await api.newUser('frosty', { wallets: ['SGD'] });
    await setStatus(user, 'SGD', 'freeze');
    expect(await close(user, 'frosty.SGD')).toMatchObject({ status: 409, body: { code: 'wallet_frozen' } });
  });

  test('is not for ever: opening it again brings back the same wallet', async () => {
    const user = await api.newUser('returning', { wallets: ['SGD'] });
    const before = await api.get('/v1/wallets/returning.SGD', user.token);
    await close(user, 'returning.SGD');
    expect(await open(user, 'SGD')).toMatchObject({ status: 200, body: before.body });
  });

  test('does not let its owner undo a freeze by opening it again', async () => {
    const user = await api.newUser('sly', { wallets: ['SGD'] });
    await setStatus(user, 'SGD', 'freeze');
    expect(await open(user, 'SGD')).toMatchObject({ status: 200, body: { status: 'frozen' } });
  });

  test('is not for a stranger', async () => {
    await api.newUser('owner_of_it', { wallets: ['SGD'] });
    const stranger = await api.newUser('stranger');
    expect((await close(stranger, 'owner_of_it.SGD')).status).toBe(404);
  });
});
