import pg from 'pg';
import { Callers } from '../../api/callers';
import { verifyShard } from '../../ledger/verify';
import { MAX_KEYS } from '../../users/api-keys';
import { TestApi, type TestUser } from '../support/api';
import { eventually } from '../support/eventually';

let api: TestApi;
let owner: pg.Client;
let ada: TestUser;
beforeAll(async () => {
  api = await TestApi.start();
  owner = new pg.Client({ connectionString: api.database.ownerUrl });
  await owner.connect();
  ada = await api.newUser('ada', { roles: ['admin'] });
});
afterAll(async () => {
  await owner.end();
  await api.close();
});

interface Made {
  id: string;
  key: string;
}

async function make({ token }: TestUser, scopes: string[], expiresInDays = 30): Promise<Made> {
  const { status, body } = await api.post('/v1/api-keys', { name: 'till 7', scopes, expiresInDays }, token);
  expect({ status, body: body as object }).toMatchObject({ status: 201, body: { name: 'till 7', scopes } });
  return body as Made;
}

const why = { reason: 'because' };
const told = async (query: string) => (await api.get(`/v1/ops/audit?order=oldest&${query}`, ada.token)).body.data;
const REFUSED = { status: 401, body: { code: 'unauthenticated' } };

test('a key acts as its owner, under either name of its scheme, and is shown once', async () => {
  const shop = await api.newUser('shop', { wallets: ['SGD'] });
  const { id, key } = await make(shop, ['wallets:read', 'profile:read']);
  expect(key).toMatch(/^hf_0_[a-z2-7]{26}_[\w-]{43}$/);
  for (const scheme of ['Bearer', 'ApiKey', 'apikey']) {
    const answer = await api.ask('GET', '/v1/wallets/shop.SGD', { headers: { authorization: `${scheme} ${key}` } });
    expect(answer).toMatchObject({ status: 200, body: { id: 'shop.SGD' } });
  }
  const { body } = await api.get('/v1/api-keys', shop.token);
  expect(body.data).toMatchObject([{ id, name: 'till 7', scopes: ['wallets:read', 'profile:read'] }]);
  const { rows } = await owner.query('select k::text from api_keys k');
  const { rows: events } = await owner.query('select detail from events');
  const kept = JSON.stringify([rows, events, api.logged, body]);
  for (const secret of [key, key.slice(-43), 'till 7'])
    expect(kept.replace('"name":"till 7"', '')).not.toContain(secret);
  expect(api.logged.filter((line) => line['keyId'] === id)).toHaveLength(3);
});

test('a key has at most what its owner has, by now', async () => {
  const olga = await api.newUser('olga', { roles: ['ops'] });
  const wanted = { name: 'too much', scopes: ['attention:read', 'roles:set', 'transfers:create'], expiresInDays: 1 };
  expect(await api.post('/v1/api-keys', wanted, olga.token)).toMatchObject({ status: 422 });
  const more = { ...wanted, scopes: ['attention:read', 'transfers:create'] };
  expect(await api.post('/v1/api-keys', more, olga.token)).toMatchObject({
    status: 422,
    body: { errors: [{ field: '/scopes/1', message: 'is nothing that you may do yourself' }] },
  });
  const { key } = await make(olga, ['attention:read', 'users:freeze']);
  expect((await api.get('/v1/ops/attention', key)).status).toBe(200);
  await api.newUser('somebody');
  await api.ask('PUT', '/v1/ops/users/olga/roles', { token: ada.token, body: { roles: ['customer'] } });
  for (const [path, body] of [['/v1/ops/attention'], ['/v1/ops/users/somebody/freeze', why]] as const) {
    const answer = await api.ask(body ? 'POST' : 'GET', path, { token: key, body });
    expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  }
});

test('without the permission to read everybody’s, a key of staff reads its owner’s own', async () => {
  const payer = await api.newUser('payer', { wallets: ['SGD'] });
  const id = await api.fund('payer', 'SGD', '10.00');
  const olaf = await api.newUser('olaf', { roles: ['ops'] });
  const [narrow, wide] = [
    await make(olaf, ['transactions:read']),
    await make(olaf, ['transactions:read', 'transactions:read-any']),
  ];
  expect((await api.get(`/v1/transactions/${id}`, narrow.key)).status).toBe(404);
  expect((await api.get(`/v1/transactions/${id}`, wide.key)).status).toBe(200);
  expect((await api.get(`/v1/transactions/${id}`, payer.token)).status).toBe(200);
});

test('what a key does is told of as its owner’s doing, by that key; and it is no second person', async () => {
  const otto = await api.newUser('otto', { roles: ['ops'], wallets: ['SGD'] });
  await api.newUser('target');
  const { id, key } = await make(otto, ['users:freeze', 'wallets:freeze']);
  expect((await api.post('/v1/ops/users/target/freeze', why, key)).status).toBe(200);
  expect(await told('kind=user_frozen&subject=target')).toMatchObject([{ actor: otto.userId, role: 'ops', key: id }]);
  for (const path of ['users/otto', 'wallets/otto.SGD']) {
    expect(await api.post(`/v1/ops/${path}/freeze`, why, key)).toMatchObject({
      status: 403,
      body: { code: 'own_request' },
    });
  }
  expect(await told(`subject=${id}`)).toMatchObject([
    { kind: 'api_key_made', actor: otto.userId, key: null, detail: { scopes: ['users:freeze', 'wallets:freeze'] } },
  ]);
});

test('revoked, it is refused at once here and within seconds elsewhere; only its owner revokes it', async () => {
  const riva = await api.newUser('riva');
  const { id, key } = await make(riva, ['profile:read']);
  const elsewhere = new Callers({ ...api.deps, rememberMs: 300 });
  expect(await elsewhere.identify(key, { changes: false })).toMatchObject({ username: 'riva', keyId: id });
  const revoke = (token: string, which = id) => api.ask('DELETE', `/v1/api-keys/${which}`, { token });
  expect((await revoke(ada.token)).status).toBe(404);
  expect((await api.get('/v1/me', key)).status).toBe(200);
  expect((await revoke(riva.token)).status).toBe(204);
  expect(await api.get('/v1/me', key)).toMatchObject(REFUSED);
  expect((await revoke(riva.token)).status).toBe(404);
  expect((await revoke(riva.token, '%00')).status).toBe(404);
  expect((await api.get('/v1/api-keys', riva.token)).body.data).toEqual([]);
  await eventually(
    () => expect(elsewhere.identify(key, { changes: false })).rejects.toMatchObject({ code: 'unauthenticated' }),
    { withinMs: 15_000 },
  );
  expect(await told(`subject=${id}`)).toMatchObject([{}, { kind: 'api_key_revoked', actor: riva.userId }]);
});

test('what is expired, forged or of a frozen owner lets nobody in', async () => {
  const nina = await api.newUser('nina');
  const [expired, good] = [await make(nina, ['profile:read'], 1), await make(nina, ['profile:read'])];
  await owner.query(`update api_keys set expires_at = now() where id = $1`, [expired.id]);
  const forged = [
    expired.key,
    `${good.key.slice(0, -1)}${good.key.endsWith('A') ? 'B' : 'A'}`,
    `${good.key}A`,
    good.key.replace('hf_0', 'hf_7'),
    good.id,
    'hf_',
  ];
  for (const key of forged) expect(await api.get('/v1/me', key)).toMatchObject(REFUSED);
  expect((await api.get('/v1/me', good.key)).status).toBe(200);
  expect((await api.post('/v1/ops/users/nina/freeze', why, ada.token)).status).toBe(200);
  expect(await api.get('/v1/me', good.key)).toMatchObject({ status: 403, body: { code: 'user_frozen' } });
});

test('when it was last used is noted', async () => {
  const lena = await api.newUser('lena');
  const { key } = await make(lena, ['profile:read']);
  const lastUsed = async () => (await api.get('/v1/api-keys', lena.token)).body.data[0].lastUsedAt as string | null;
  expect(await lastUsed()).toBeNull();
  await api.get('/v1/me', key);
  await eventually(async () => expect(await lastUsed()).not.toBeNull());
});

test('a user has so many at most, however many are asked for at once', async () => {
  const many = await api.newUser('many');
  const body = { name: 'one of many', scopes: ['profile:read'], expiresInDays: 1 };
  const ask = () => api.post('/v1/api-keys', body, many.token);
  const answers = await Promise.all(Array.from({ length: MAX_KEYS + 3 }, ask));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(MAX_KEYS);
  expect(await ask()).toMatchObject({ status: 409, body: { code: 'too_many_api_keys' } });
  await api.ask('DELETE', `/v1/api-keys/${answers.find(({ status }) => status === 201)!.body.id}`, {
    token: many.token,
  });
  expect((await ask()).status).toBe(201);
});

const behindItsBack: [string, string, string][] = [
  [
    'given more',
    `update api_keys set scopes = scopes || array['wallets:read'] where id = $1`,
    'has profile:read,wallets:read',
  ],
  ['made to last', `update api_keys set expires_at = expires_at + interval '1 year' where id = $1`, 'was to end'],
  ['slipped in', `update api_keys set id = left($1, 8) || 'slipped' where id = $1`, 'no event made it'],
];

test.each(behindItsBack)(
  'a key that was %s behind the chain’s back is found by the verification',
  async (what, sql, says) => {
    const user = await api.newUser(`verified_${what.replaceAll(' ', '_')}`);
    const { id } = await make(user, ['profile:read']);
    const { db } = api.deps.shards.shard(0);
    await owner.query(sql, [id]);
    const { findings } = await verifyShard(db);
    expect(findings).toEqual([{ kind: 'api_key', subject: expect.any(String), detail: expect.stringContaining(says) }]);
    await owner.query('delete from api_keys where user_id = $1', [user.userId]);
    expect((await verifyShard(db)).findings).toEqual([]);
  },
);

test('a revoked key that was brought back behind the chain’s back is found, too', async () => {
  const user = await api.newUser('brought_back');
  const { id } = await make(user, ['profile:read']);
  await api.ask('DELETE', `/v1/api-keys/${id}`, { token: user.token });
  await owner.query('update api_keys set revoked_at = null where id = $1', [id]);
  const { db } = api.deps.shards.shard(0);
  expect((await verifyShard(db)).findings).toMatchObject([{ kind: 'api_key', subject: id }]);
  await owner.query('delete from api_keys where id = $1', [id]);
});
