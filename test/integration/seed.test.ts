import { createTokens } from '../../api/tokens';
import { demoPassword, demoTokens, seed } from '../../cli/seed';
import { TestApi } from '../support/api';
import { cloneDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;
let api: TestApi;
let config: Parameters<typeof seed>[0];

beforeAll(async () => {
  database = await cloneDatabase();
  const tokenKey = 'a key for the tokens of the demo, long enough';
  const sealKeys = [{ id: 'demo', key: Buffer.alloc(32, 3) }];
  config = {
    production: false,
    shards: [{ url: database.appUrl }],
    secrets: { tokenKey, sealKeys, dataKeys: true, commandKey: 'a key for the commands of the demo' },
    tokenTtlSeconds: 600,
  };
  const tokens = createTokens({ key: tokenKey, ttlSeconds: 600 });
  api = await TestApi.start({ database, deps: { tokens }, sealKeys });
  await seed(config);
});
afterAll(() => api.close());

const rowsOf = async () => {
  const { db } = api.deps.shards.shard(0);
  return {
    users: await db.selectFrom('users').selectAll().orderBy('username').execute(),
    accounts: await db.selectFrom('accounts').selectAll().orderBy('id').execute(),
    entries: await db.selectFrom('entries').selectAll().execute(),
  };
};

describe('the demo seed', () => {
  test('gives the house its million by a real opening transaction, so that the books balance from the first entry', async () => {
    const { entries } = await rowsOf();
    expect(entries.map((entry) => entry.amount).sort()).toEqual([-100_000_000n, 100_000_000n]);
    const { data } = await api.deps.shards
      .shard(0)
      .db.selectFrom('transactions')
      .select(['type', 'status'])
      .executeTakeFirstOrThrow()
      .then((row) => ({ data: row }));
    expect(data).toEqual({ type: 'opening', status: 'completed' });
  });

  test('run again, or twice at once, changes nothing', async () => {
    const before = await rowsOf();
    await Promise.all([seed(config), seed(config)]);
    expect(await rowsOf()).toEqual(before);
  });

  test('lets every demo user sign in with the demo password', async () => {
    for (const username of ['house', 'yunus', 'nick', 'andrew', 'ops', 'ops2']) {
      const answer = await api.post('/v1/sessions', { username, password: demoPassword(username) });
      expect({ username, status: answer.status }).toEqual({ username, status: 201 });
    }
  });

  test('gives tokens that work, with which each customer sees their own wallets', async () => {
    const tokens = await demoTokens(config);
    const wallets: Record<string, string[]> = {};
    for (const { username, roles, accessToken } of tokens) {
      expect((await api.get('/v1/me', accessToken)).body).toMatchObject({ username, roles });
      const { status, body } = await api.get('/v1/wallets', accessToken);
      wallets[username] =
        status === 403
          ? ['none for staff']
          : body.data.map((each: { id: string; balance: string }) => `${each.id} ${each.balance}`);
    }
    expect(wallets).toEqual({
      house: ['house.SGD 1000000.00'],
      yunus: ['yunus.JPY 0', 'yunus.SGD 0.00'],
      nick: ['nick.JPY 0', 'nick.SGD 0.00'],
      andrew: ['andrew.JPY 0', 'andrew.SGD 0.00'],
      ops: ['none for staff'],
      ops2: ['none for staff'],
    });
  });

  test('is refused in production mode', async () => {
    await expect(seed({ ...config, production: true })).rejects.toThrow(/never made in production/);
    await expect(demoTokens({ ...config, production: true })).rejects.toThrow(/never made in production/);
  });

  test('says what is wrong when the key of commands was changed', async () => {
    const changed = { ...config, secrets: { ...config.secrets, commandKey: 'another key for the commands' } };
    await expect(seed(changed)).rejects.toThrow('another HOLDFAST_COMMAND_KEY');
  });
});
