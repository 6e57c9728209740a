import { randomBytes } from 'node:crypto';
import { Callers } from '../../api/callers';
import { newApiKeyId } from '../../ledger/identity';
import { openShards, type Shards } from '../../ledger/shards';
import { isMarked, newSecret, secretHash } from '../../users/secrets';
import { TestApi, type TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import { silent } from '../support/people';
import { Wire } from '../support/wire';

let api: TestApi;
let wire: Wire;
let elsewhere: Shards;
let ada: TestUser;
beforeAll(async () => {
  api = await TestApi.start();
  wire = await Wire.to(api.database.appUrl);
  elsewhere = openShards({ urls: [wire.urlOf(api.database.appUrl)], log: silent, patienceMs: 500 });
  ada = await api.newUser('ada', { roles: ['admin'] });
});
afterEach(() => wire.comeBack());
afterAll(async () => {
  await elsewhere.close();
  await wire.close();
  await api.close();
});

/** As another process knows who is calling; it reaches the shard through the wire. */
const another = (rememberMs: number) => new Callers({ ...api.deps, shards: elsewhere, rememberMs });
const READ = { changes: false };
const CHANGE = { changes: true };
const why = { reason: 'because' };
const setRoles = (name: string, roles: string[]) =>
  api.ask('PUT', `/v1/ops/users/${name}/roles`, { token: ada.token, body: { roles } });

describe('what a member of staff changes', () => {
  test('is refused from the moment they are demoted, whatever a process remembers of them', async () => {
    const { token } = await api.newUser('demoted', { roles: ['ops'] });
    const callers = another(600_000);
    expect(await callers.identify(token, READ)).toMatchObject({ roles: ['ops'] });
    expect((await setRoles('demoted', ['customer'])).status).toBe(200);
    expect(await callers.identify(token, READ)).toMatchObject({ roles: ['ops'] });
    expect(await callers.identify(token, CHANGE)).toMatchObject({ roles: ['customer'] });
    expect(await callers.identify(token, READ)).toMatchObject({ roles: ['customer'] });

    const answer = await api.post('/v1/ops/users/ada/freeze', why, token);
    expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  });

  test('is refused from the moment they are frozen', async () => {
    const { token } = await api.newUser('iced', { roles: ['ops'] });
    const callers = another(600_000);
    await callers.identify(token, READ);
    expect((await api.post('/v1/ops/users/iced/freeze', why, ada.token)).status).toBe(200);
    await expect(callers.identify(token, CHANGE)).rejects.toMatchObject({ code: 'user_frozen' });
    for (const [method, path] of [['POST', '/v1/ops/users/ada/freeze'] as const, ['GET', '/v1/ops/audit'] as const]) {
      const body = method === 'POST' ? why : undefined;
      expect(await api.ask(method, path, { token, body })).toMatchObject({
        status: 403,
        body: { code: 'user_frozen' },
      });
    }
  });

  test('is refused while their shard can not say whether they may, with its name', async () => {
    const { token } = await api.newUser('unsure', { roles: ['ops'] });
    const callers = another(600_000);
    await callers.identify(token, CHANGE);
    wire.goAway();
    const away = { code: 'shard_unavailable', message: 'Shard 0 is not reachable.' };
    await expect(callers.identify(token, CHANGE)).rejects.toMatchObject(away);
    expect(await callers.identify(token, READ)).toMatchObject({ username: 'unsure' });
    wire.comeBack();
    await eventually(async () => expect(await callers.identify(token, CHANGE)).toMatchObject({ roles: ['ops'] }), {
      withinMs: 15_000,
    });
  });

  test('may be more than before as soon as they were given more', async () => {
    const { token } = await api.newUser('promoted');
    expect((await setRoles('promoted', ['auditor'])).status).toBe(200);
    expect((await api.get('/v1/ops/attention', token)).status).toBe(200);
  });
});

describe('a customer', () => {
  test('is looked up once for many requests, and again when it was too long ago', async () => {
    const { token } = await api.newUser('busy');
    const callers = another(3_000);
    await Promise.all(Array.from({ length: 50 }, () => callers.identify(token, CHANGE)));
    wire.goAway();
    expect(await callers.identify(token, CHANGE)).toMatchObject({ username: 'busy' });
    await eventually(
      () => expect(callers.identify(token, CHANGE)).rejects.toMatchObject({ code: 'shard_unavailable' }),
      { withinMs: 15_000 },
    );
    await expect(callers.identify(token, READ)).rejects.toMatchObject({ code: 'shard_unavailable' });
  });

  test('whose shard is frozen is told so in a while, and not kept waiting for as long as it is', async () => {
    const { token } = await api.newUser('waiting');
    wire.swallowAnswers();
    await expect(another(0).identify(token, READ)).rejects.toMatchObject({ code: 'shard_unavailable' });
  });

  test('who is no longer there is nobody', async () => {
    const { accessToken } = api.deps.tokens.issue({ userId: 'us_0_a', username: 'ghost', roles: ['admin'] });
    await expect(another(0).identify(accessToken, READ)).rejects.toMatchObject({ code: 'unauthenticated' });
    const far = api.deps.tokens.issue({ userId: 'us_7_a', username: 'ghost', roles: ['admin'] });
    await expect(another(0).identify(far.accessToken, READ)).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

test('what is no good any more is looked up once, however often it is shown', async () => {
  const { token } = await api.newUser('revoked');
  const wanted = { name: 'for a service', scopes: ['profile:read'], expiresInDays: 1 };
  const { id, key } = (await api.post('/v1/api-keys', wanted, token)).body as { id: string; key: string };
  expect((await api.ask('DELETE', `/v1/api-keys/${id}`, { token })).status).toBe(204);
  const callers = another(600_000);
  await expect(callers.identify(key, READ)).rejects.toMatchObject({ code: 'unauthenticated' });
  wire.goAway();
  await expect(callers.identify(key, READ)).rejects.toMatchObject({ code: 'unauthenticated' });
  const unseen = key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A');
  await expect(callers.identify(unseen, READ)).rejects.toMatchObject({ code: 'shard_unavailable' });
});

describe('an API key that carries no mark of ours', () => {
  const madeUp = () => `hf_0_${'a'.repeat(26)}_${randomBytes(32).toString('base64url')}`;
  const asker = () => {
    const callers = another(0);
    return (address: string, key = madeUp()) =>
      callers.identify(key, { ...READ, address }).then(
        ({ username }) => username,
        ({ code }: { code: string }) => code,
      );
  };

  test('is looked up in vain so often only from one address, which keeps no marked one out', async () => {
    const ask = asker();
    const { token } = await api.newUser('marked');
    const wanted = { name: 'for a service', scopes: ['profile:read'], expiresInDays: 1 };
    const { body } = await api.post('/v1/api-keys', wanted, token);
    const answers = await Promise.all(Array.from({ length: 80 }, () => ask('there')));
    expect(answers.filter((answer) => answer === 'unauthenticated')).toHaveLength(60);
    expect(answers.filter((answer) => answer === 'rate_limited')).toHaveLength(20);
    expect(await ask('there', body.key)).toBe('marked');
    expect(await ask('elsewhere')).toBe('unauthenticated');
    wire.goAway();
    expect(await ask('there')).toBe('rate_limited');
  });

  test('is not looked up in vain by a shard that is away', async () => {
    const ask = asker();
    wire.goAway();
    for (let turn = 0; turn < 2; turn += 1) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask('unlucky')));
      expect(new Set(answers)).toEqual(new Set(['shard_unavailable']));
    }
  });

  test('is good as long as it was, when it is from before there were marks', async () => {
    const ask = asker();
    const { userId } = await api.newUser('unmarked');
    const id = newApiKeyId(0);
    const key = `hf_${id.slice(3)}_${randomBytes(32).toString('base64url')}`;
    const expires_at = new Date(Date.now() + 3_600_000);
    await api.deps.shards
      .shard(0)
      .db.insertInto('api_keys')
      .values({ id, user_id: userId, name_sealed: '', hash: secretHash(key), scopes: ['profile:read'], expires_at })
      .execute();
    for (let n = 0; n < 70; n += 1) expect(await ask('home', key)).toBe('unmarked');
  });
});

test('a made-up refresh token is looked up so often only, and a made-up mark is none', async () => {
  const madeUp = () => [`se_0_${'a'.repeat(26)}`, ...[1, 2].map(() => randomBytes(32).toString('base64url'))].join('.');
  const refresh = async () => (await api.post('/v1/sessions/refresh', { refreshToken: madeUp() })).body.code as string;
  const answers = await Promise.all(Array.from({ length: 70 }, refresh));
  expect(answers.filter((code) => code === 'invalid_refresh_token')).toHaveLength(60);
  expect(answers.filter((code) => code === 'rate_limited')).toHaveLength(10);

  const { sealer } = api.deps;
  const secret = newSecret(sealer, 'ak_0_one');
  expect(isMarked(sealer, 'ak_0_one', secret)).toBe(true);
  expect(isMarked(sealer, 'ak_0_other', secret)).toBe(false);
  expect(isMarked(sealer, 'ak_0_one', randomBytes(32).toString('base64url'))).toBe(false);
});
