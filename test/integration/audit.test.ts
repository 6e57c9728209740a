import pg from 'pg';
import { systemAccountId } from '../../contracts/ids';
import { transactionId } from '../../ledger/identity';
import { verifyShard } from '../../ledger/verify';
import { TestApi, type Answer, type TestUser } from '../support/api';

let api: TestApi;
let owner: pg.Client;
let ada: TestUser;
let olivia: TestUser;
let arthur: TestUser;
let bea: TestUser;

beforeAll(async () => {
  api = await TestApi.start();
  owner = new pg.Client({ connectionString: api.database.ownerUrl });
  await owner.connect();
  ada = await api.newUser('ada', { roles: ['admin'] });
  olivia = await api.newUser('olivia', { roles: ['ops'] });
  bea = await api.newUser('bea', { wallets: ['SGD'] });
  arthur = await api.newUser('arthur', { roles: ['auditor'] });
});
afterAll(async () => {
  await owner.end();
  await api.close();
});

interface Item {
  id: string;
  at: string;
  actor: string;
  role: string | null;
  kind: string;
  subject: string;
  requestId: string | null;
  address: string | null;
  note: string | null;
  detail: object;
}
const audit = async (query = ''): Promise<Item[]> => (await api.get(`/v1/ops/audit${query}`, arthur.token)).body.data;
const chainOf = async () =>
  (await owner.query<{ detail: string }>('select detail from events order by block, index')).rows;

/** What the audit has after a request that it had not before. */
async function newsOf(request: () => Promise<Answer>, status: number): Promise<Item[]> {
  const [last] = await audit('?limit=1');
  const answer = await request();
  expect({ status: answer.status, body: answer.body as unknown }).toMatchObject({ status });
  const all = await audit();
  return all.slice(
    0,
    all.findIndex(({ id }) => id === last!.id),
  );
}

const password = 'a long enough password';
const signUp = { username: 'carla', password, name: 'Carla Customer', email: 'carla@example.com' };
const bankAccount = { holder: 'Carla Customer', number: 'NL91ABNA0417164300', bankCode: 'ABNANL2A' };
const why = { reason: 'she was asked to pay a Mr Secret' };
let carla: TestUser;

describe('each change is told of once, with who, when, from where and by which request', () => {
  const as = (user: () => TestUser, method: string, path: string, body?: object) => () =>
    api.ask(method, path, { token: user().token, body, headers: { 'x-request-id': 'the-request' } });
  const steps: [string, () => Promise<Answer>, number, object][] = [
    [
      'signing up',
      () => api.ask('POST', '/v1/users', { body: signUp, headers: { 'x-request-id': 'the-request' } }),
      201,
      { kind: 'user_created', role: 'customer', detail: { roles: ['customer'] } },
    ],
    [
      'opening a wallet',
      as(() => carla, 'POST', '/v1/wallets', { currency: 'SGD' }),
      201,
      { kind: 'wallet_opened', role: 'customer', detail: { currency: 'SGD' } },
    ],
    ['closing it', as(() => carla, 'DELETE', '/v1/wallets/carla.SGD'), 204, { kind: 'closed', role: 'customer' }],
    [
      'opening it again',
      as(() => carla, 'POST', '/v1/wallets', { currency: 'SGD' }),
      200,
      { kind: 'open', role: 'customer' },
    ],
    [
      'changing the password',
      as(() => carla, 'PUT', '/v1/me/password', { currentPassword: password, newPassword: 'another long password' }),
      204,
      { kind: 'password_changed', role: 'customer', detail: {} },
    ],
    [
      'signing in',
      () =>
        api.ask('POST', '/v1/sessions', {
          body: { username: 'carla', password: 'another long password' },
          headers: { 'x-request-id': 'the-request' },
        }),
      201,
      { kind: 'session_started' },
    ],
    [
      'signing out everywhere',
      as(() => carla, 'DELETE', '/v1/sessions'),
      204,
      { kind: 'sessions_ended', role: 'customer', detail: { why: 'logged_out' } },
    ],
    [
      'adding a bank account',
      as(() => carla, 'POST', '/v1/bank-accounts', bankAccount),
      201,
      { kind: 'bank_account_added', role: 'customer' },
    ],
    [
      'freezing a wallet',
      as(() => olivia, 'POST', '/v1/ops/wallets/carla.SGD/freeze', why),
      200,
      { kind: 'frozen', role: 'ops', note: why.reason },
    ],
    [
      'thawing a wallet',
      as(() => ada, 'POST', '/v1/ops/wallets/carla.SGD/unfreeze', why),
      200,
      { kind: 'open', role: 'admin', note: why.reason },
    ],
    [
      'freezing a user',
      as(() => olivia, 'POST', '/v1/ops/users/carla/freeze', why),
      200,
      { kind: 'user_frozen', role: 'ops', note: why.reason },
    ],
    [
      'thawing a user',
      as(() => olivia, 'POST', '/v1/ops/users/Carla/unfreeze', why),
      200,
      { kind: 'user_unfrozen', role: 'ops', note: why.reason },
    ],
    [
      'giving a wallet a limit',
      as(() => olivia, 'PUT', '/v1/ops/wallets/carla.SGD/limits/transfer', { day: '5.00', ...why }),
      200,
      { kind: 'limits_changed', role: 'ops', note: why.reason, detail: { kind: 'transfer', limits: { day: '500' } } },
    ],
    [
      'giving roles',
      as(() => ada, 'PUT', '/v1/ops/users/carla/roles', { roles: ['auditor', 'customer'] }),
      200,
      { kind: 'roles_changed', role: 'admin', detail: { roles: ['customer', 'auditor'] } },
    ],
    [
      'proposing roles that take two to give',
      as(() => ada, 'PUT', '/v1/ops/users/carla/roles', { roles: ['ops', 'customer'] }),
      202,
      { kind: 'roles_proposed', role: 'admin', detail: { roles: ['customer', 'ops'] } },
    ],
  ];

  test.each(steps)('%s', async (what, request, status, told) => {
    if (what === 'adding a bank account')
      jest.spyOn(api.deps.owners, 'checkBankAccount').mockResolvedValue(undefined as never);
    const news = await newsOf(request, status);
    expect(news).toMatchObject([{ ...told, requestId: 'the-request' }]);
    expect(news[0]!.address).toMatch(/127\.0\.0\.1$/);
    if (what === 'signing up') carla = await signedIn('carla', news[0]!.subject);
    // The same again changes nothing, and so tells nothing. Adding a password or user again is refused.
    if (status === 200 && !what.includes('again')) expect(await newsOf(request, status)).toEqual([]);
  });

  test('and a wallet opened again by asking for it is told of as its owner’s doing', async () => {
    const [opened] = await audit('?subject=carla.SGD&kind=wallet_opened');
    expect(opened).toMatchObject({ actor: carla.userId, detail: { owner: carla.userId, currency: 'SGD' } });
  });

  test('putting an event of the bank away', async () => {
    await owner.query(`insert into bank_inbox (event_id, kind, subject, event, status)
      values ('ev_9', 'fact', 'x', '{}', 'needs_attention')`);
    const resolve = as(() => olivia, 'POST', '/v1/ops/inbox/ev_9/resolve', { note: 'seen' });
    const news = await newsOf(resolve, 204);
    expect(news).toMatchObject([{ kind: 'inbox_resolved', subject: 'inbox:ev_9', actor: olivia.userId, role: 'ops' }]);
    expect(await newsOf(resolve, 404)).toEqual([]);
  });

  test('deciding about a transaction', async () => {
    const shard = api.deps.shards.shard(0);
    await api.newUser('dan', { wallets: ['SGD'] });
    const wallet = (await api.deps.names.resolve({ username: 'dan', currency: 'SGD' }))!.accountId;
    const id = transactionId(ada.userId, 'an adjustment');
    const facts = { id, actorId: ada.userId, hash: 'h', from: systemAccountId(0, '@suspense', 'SGD'), to: wallet };
    await shard.poster.post([
      {
        kind: 'pend',
        facts: { ...facts, type: 'adjustment', amountMinor: 1n, currency: 'SGD' },
        owner: 'nobody',
        status: 'awaiting_approval',
      },
    ]);
    jest.spyOn(api.deps.owners, 'news').mockResolvedValue(undefined as never);
    const news = await newsOf(
      as(() => olivia, 'POST', `/v1/transactions/${id}/reject`, {}),
      200,
    );
    expect(news).toMatchObject([
      { kind: 'rejected_by_person', subject: id, actor: olivia.userId, role: 'ops', requestId: 'the-request' },
    ]);
  });

  test('what was refused changed nothing and is not told', async () => {
    const taken = () => api.post('/v1/users', signUp);
    expect(await newsOf(taken, 409)).toEqual([]);
    expect(
      await newsOf(
        as(() => olivia, 'PUT', '/v1/ops/users/carla/roles', { roles: ['ops'] }),
        403,
      ),
    ).toEqual([]);
    expect(
      await newsOf(
        as(() => ada, 'PUT', '/v1/ops/users/ada/roles', { roles: ['ops'] }),
        403,
      ),
    ).toEqual([]);
    expect(
      await newsOf(
        as(() => olivia, 'POST', '/v1/ops/users/nobody/freeze', why),
        404,
      ),
    ).toEqual([]);
    expect(
      await newsOf(
        as(() => olivia, 'POST', '/v1/ops/wallets/carla.JPY/freeze', why),
        404,
      ),
    ).toEqual([]);
  });

  test('of many who ask for the same at once, one does it, and one event tells of it', async () => {
    const news = await newsOf(async () => {
      const names = Array.from({ length: 8 }, () => api.post('/v1/users', { ...signUp, username: 'dora' }));
      const statuses = (await Promise.all(names)).map(({ status }) => status).sort();
      expect(statuses).toEqual([201, 409, 409, 409, 409, 409, 409, 409]);
      return { status: 200, headers: new Headers(), body: null };
    }, 200);
    expect(news).toMatchObject([{ kind: 'user_created' }]);
  });

  test('nothing personal or secret is in the chain in the clear, and its books verify', async () => {
    const text = JSON.stringify(await chainOf());
    for (const word of ['carla', 'Carla', 'Secret', '127.0.0.1', 'password', 'argon', '0417164300', 'seen']) {
      expect({ word, found: text.includes(word) }).toEqual({ word, found: false });
    }
    expect((await verifyShard(api.deps.shards.shard(0).db)).findings).toEqual([]);
  });
});

async function signedIn(username: string, userId: string): Promise<TestUser> {
  const caller = { userId, username, roles: ['customer' as const] };
  return { ...caller, token: api.deps.tokens.issue(caller).accessToken };
}

describe('a frozen user', () => {
  const say = (kind: 'freeze' | 'unfreeze', path: string) => api.post(`/v1/ops/${path}/${kind}`, why, olivia.token);

  test('can neither sign in nor open a wallet, and every wallet of theirs is frozen, until they are thawed', async () => {
    const credentials = { username: 'fred_frozen', password };
    await api.post('/v1/users', { ...signUp, ...credentials });
    const { body } = await api.post('/v1/sessions', credentials);
    const token = body.accessToken as string;
    for (const currency of ['SGD', 'JPY']) await api.post('/v1/wallets', { currency }, token);
    await say('freeze', 'wallets/fred_frozen.JPY');

    expect((await say('freeze', 'users/fred_frozen')).body).toMatchObject({ status: 'frozen', roles: ['customer'] });
    expect(await api.post('/v1/sessions', credentials)).toMatchObject({ status: 403, body: { code: 'user_frozen' } });
    expect(await api.post('/v1/sessions', { ...credentials, password: 'wrong' })).toMatchObject({ status: 401 });
    expect(await api.post('/v1/wallets', { currency: 'EUR' }, token)).toMatchObject({ status: 401 });
    const { rows } = await owner.query(
      `select a.status, a.owner_frozen from accounts a join users u on u.id = a.owner_id where username = $1 order by currency`,
      ['fred_frozen'],
    );
    expect(rows).toEqual([
      { status: 'frozen', owner_frozen: true },
      { status: 'open', owner_frozen: true },
    ]);
    await expect(api.fund('fred_frozen', 'SGD', '1.00')).rejects.toThrow('wallet_frozen');

    expect((await say('unfreeze', 'users/fred_frozen')).body).toMatchObject({ status: 'active' });
    const again = await api.post('/v1/sessions', credentials);
    const wallets = await api.get('/v1/wallets', again.body.accessToken);
    expect(wallets.body.data).toMatchObject([{ status: 'frozen' }, { status: 'open' }]);
    await api.fund('fred_frozen', 'SGD', '1.00');
  });

  test('is thawed by nobody’s own hand', async () => {
    expect(await say('unfreeze', 'users/olivia')).toMatchObject({ status: 403, body: { code: 'own_request' } });
  });
});

describe('the list', () => {
  test('finds by who, what, kind and time, by the names that people know', async () => {
    const kinds = async (query: string) => (await audit(`?${query}`)).map(({ kind }) => kind);
    expect(new Set((await audit('?actor=olivia')).map(({ actor }) => actor))).toEqual(new Set([olivia.userId]));
    expect(await kinds('subject=carla.SGD&order=oldest')).toEqual([
      'wallet_opened',
      'closed',
      'open',
      'frozen',
      'open',
      'limits_changed',
    ]);
    expect(await kinds(`subject=${carla.userId}&actor=ada`)).toEqual(['roles_proposed', 'roles_changed']);
    expect(await kinds('kind=password_changed')).toEqual(['password_changed']);
    expect(await kinds('subject=nobody_at_all')).toEqual([]);
    const [first, second] = (await audit('?order=oldest')) as [Item, Item];
    expect((await audit(`?order=oldest&since=${second.at}`)).some(({ id }) => id === first.id)).toBe(
      first.at === second.at,
    );
    expect(await kinds(`until=${first.at}`)).toEqual([]);
  });

  test.each(['oldest', 'newest'])('has pages that go on where the last one ended, %s first', async (order) => {
    const all = await audit(`?order=${order}&limit=200`);
    const seen: Item[] = [];
    let cursor = '';
    do {
      const { body } = await api.get(`/v1/ops/audit?order=${order}&limit=3${cursor}`, arthur.token);
      seen.push(...body.data);
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');
    expect(seen).toEqual(all);
  });

  test('refuses a cursor that is not its own', async () => {
    for (const place of [['newest', 1, 0, 'x'], ['oldest', 1, 0, 'x'], 'x']) {
      const cursor = Buffer.from(JSON.stringify(place)).toString('base64url');
      expect((await api.get(`/v1/ops/audit?cursor=${cursor}`, arthur.token)).status).toBe(422);
    }
  });
});

/** Last, and one upon the other: nothing is put back. */
test.each([
  ['a user thawed', `update users set status = 'frozen' where id = $1`, 'user_status', () => carla.userId],
  ['roles that nobody gave', `update users set roles = '{admin}' where id = $1`, 'roles', () => carla.userId],
  ['a user’s wallets', 'update accounts set owner_frozen = true where owner_id = $1', 'user_status', () => bea.userId],
  [
    'who did it',
    `update events set detail = replace(detail, 'us_0', 'us_1') where subject_id = $1 and kind = 'user_frozen'`,
    'hash',
    () => carla.userId,
  ],
  [
    'what was done',
    `delete from events where subject_id = $1 and kind = 'user_unfrozen'`,
    'counts',
    () => carla.userId,
  ],
])('%s, changed by the database’s owner, is found and named', async (_what, change, kind, subject) => {
  await owner.query(change, [subject()]);
  const { findings } = await verifyShard(api.deps.shards.shard(0).db);
  expect(findings).toContainEqual(
    expect.objectContaining(kind.startsWith('user') || kind === 'roles' ? { kind, subject: subject() } : { kind }),
  );
});
