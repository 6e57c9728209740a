import pg from 'pg';
import { Callers } from '../../api/callers';
import { verifyShard } from '../../ledger/verify';
import { ApiKeys } from '../../users/api-keys';
import { Sessions } from '../../users/sessions';
import { Users } from '../../users/store';
import { TestApi, type Answer, type TestUser } from '../support/api';
import { eventually } from '../support/eventually';

const PASSWORD = 'correct horse battery';

let api: TestApi;
let owner: pg.Client;
let auditor: TestUser;
let olivia: TestUser;
beforeAll(async () => {
  api = await TestApi.start();
  owner = new pg.Client({ connectionString: api.database.ownerUrl });
  await owner.connect();
  auditor = await api.newUser('an_auditor', { roles: ['auditor'] });
  olivia = await api.newUser('olivia', { roles: ['ops'] });
});
afterAll(async () => {
  await owner.end();
  await api.close();
});

interface Session {
  accessToken: string;
  refreshToken: string;
  id: string;
}

async function signUp(username: string): Promise<void> {
  const facts = { username, password: PASSWORD, name: 'Sam Session', email: `${username}@example.com` };
  expect((await api.post('/v1/users', facts)).status).toBe(201);
}

async function signIn(username: string, agent = 'a browser'): Promise<Session> {
  const credentials = { username, password: PASSWORD };
  const answer = await api.post('/v1/sessions', credentials, undefined, { 'user-agent': agent });
  expect(answer.status).toBe(201);
  return sessionOf(answer);
}

function sessionOf({ body }: Answer): Session {
  const claims = JSON.parse(Buffer.from(body.accessToken.split('.')[1], 'base64url').toString());
  return { accessToken: body.accessToken, refreshToken: body.refreshToken, id: claims.sid };
}

const refresh = (refreshToken: string) => api.post('/v1/sessions/refresh', { refreshToken });
const end = (which: string, token: string) => api.ask('DELETE', `/v1/sessions${which}`, { token });
const isGood = async (token: string) => (await api.get('/v1/me', token)).status === 200;
/** What ends a session by a refresh is not told to this process’s memory, which is as any other process’s then. */
const ends = (token: string) => eventually(async () => expect(await isGood(token)).toBe(false), { withinMs: 15_000 });

const USED_UP = { status: 401, body: { code: 'invalid_refresh_token' } };

async function told(subject: string) {
  const { body } = await api.get(`/v1/ops/audit?subject=${subject}&order=oldest`, auditor.token);
  return body.data as { kind: string; actor: string; detail: object; address: string | null }[];
}

describe('a session', () => {
  test('goes on with its refresh token, which is good once', async () => {
    await signUp('goes_on');
    const first = await signIn('goes_on');
    const second = sessionOf(await refresh(first.refreshToken));
    const third = sessionOf(await refresh(second.refreshToken));
    expect(new Set([first.id, second.id, third.id]).size).toBe(1);
    expect(new Set([first, second, third].map((each) => each.refreshToken)).size).toBe(3);
    for (const { accessToken } of [first, second, third]) expect(await isGood(accessToken)).toBe(true);
  });

  test('ends when a refresh token is used twice, with all its tokens, and the audit tells why', async () => {
    await signUp('stolen');
    const [other, first] = [await signIn('stolen'), await signIn('stolen')];
    const second = sessionOf(await refresh(first.refreshToken));
    expect(await refresh(first.refreshToken)).toMatchObject(USED_UP);
    expect(await refresh(second.refreshToken)).toMatchObject(USED_UP);
    await ends(first.accessToken);
    await ends(second.accessToken);
    expect(await isGood(other.accessToken)).toBe(true);
    expect(await refresh(other.refreshToken)).toMatchObject({ status: 200 });
    const { userId } = await meOf('stolen');
    expect(await told(first.id)).toMatchObject([
      { kind: 'session_started', actor: userId, detail: { user: userId } },
      { kind: 'session_ended', actor: 'holdfast', detail: { user: userId, why: 'token_reused' } },
    ]);
  });

  test('of two refreshes at once with one token at most one goes through, and the session has ended', async () => {
    await signUp('twice');
    const { accessToken, refreshToken } = await signIn('twice');
    const answers = await Promise.all([refresh(refreshToken), refresh(refreshToken)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401]);
    await ends(accessToken);
  });

  test('is ended by nobody who merely knows its id', async () => {
    await signUp('guessed');
    const { accessToken, refreshToken, id } = await signIn('guessed');
    const [, family, secret] = refreshToken.split('.') as [string, string, string];
    const madeUp = 'A'.repeat(43);
    const guesses = [`${id}.${madeUp}.${secret}`, `${id}.${madeUp}.${madeUp}`, `${id}.${family}`, `se_9${id.slice(4)}`];
    for (const guess of [...guesses, 'nonsense', `${id}.${family}.${secret}A`]) {
      expect(await refresh(guess)).toMatchObject(USED_UP);
    }
    expect(await isGood(accessToken)).toBe(true);
    expect(await refresh(refreshToken)).toMatchObject({ status: 200 });
  });

  test('is over when its time is, and forgotten some time after that', async () => {
    await signUp('over');
    const old = await signIn('over');
    await owner.query(`update sessions set expires_at = now() - interval '31 days' where id = $1`, [old.id]);
    expect(await refresh(old.refreshToken)).toMatchObject(USED_UP);
    await ends(old.accessToken);
    const { id } = await signIn('over');
    const { rows } = await owner.query('select id from sessions where user_id = $1', [(await meOf('over')).userId]);
    expect(rows).toEqual([{ id }]);
  });

  test('keeps nothing readable of its tokens, or of where it is from', async () => {
    await signUp('hidden');
    const { accessToken, refreshToken, id } = await signIn('hidden', 'A Very Personal Browser');
    const { rows } = await owner.query('select s::text from sessions s where id = $1', [id]);
    const { rows: events } = await owner.query('select detail from events where subject_id = $1', [id]);
    const kept = JSON.stringify([rows, events, api.logged]);
    const secrets = refreshToken.split('.').slice(1);
    for (const secret of [accessToken, ...secrets, 'Personal Browser']) expect(kept).not.toContain(secret);
    for (const secret of secrets) expect(kept).not.toContain(Buffer.from(secret).toString('hex'));
    expect(JSON.stringify([rows, events])).not.toMatch(/127\.0\.0\.1|::1/);
  });
});

const meOf = async (username: string) => {
  const { rows } = await owner.query<{ id: string }>('select id from users where username = $1', [username]);
  return { userId: rows[0]!.id };
};

describe('signing out', () => {
  test('ends this session and no other, in every process within seconds', async () => {
    await signUp('leaver');
    const [here, there] = [await signIn('leaver'), await signIn('leaver')];
    const elsewhere = new Callers({ ...api.deps, rememberMs: 300 });
    const identify = (token: string) => elsewhere.identify(token, { changes: false });
    expect(await identify(here.accessToken)).toMatchObject({ username: 'leaver', sessionId: here.id });
    expect((await end('/current', here.accessToken)).status).toBe(204);
    expect(await api.get('/v1/me', here.accessToken)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    expect(await refresh(here.refreshToken)).toMatchObject(USED_UP);
    await eventually(() => expect(identify(here.accessToken)).rejects.toMatchObject({ code: 'unauthenticated' }), {
      withinMs: 15_000,
    });
    expect(await identify(there.accessToken)).toMatchObject({ sessionId: there.id });
    expect(await refresh(there.refreshToken)).toMatchObject({ status: 200 });
    expect(await told(here.id)).toMatchObject([{}, { kind: 'session_ended', detail: { why: 'logged_out' } }]);
  });

  test('everywhere ends them all', async () => {
    await signUp('all_over');
    const sessions = [await signIn('all_over'), await signIn('all_over'), await signIn('all_over')];
    expect((await end('', sessions[1]!.accessToken)).status).toBe(204);
    for (const { accessToken, refreshToken } of sessions) {
      expect(await isGood(accessToken)).toBe(false);
      expect(await refresh(refreshToken)).toMatchObject(USED_UP);
    }
    const { userId } = await meOf('all_over');
    expect((await told(userId)).at(-1)).toMatchObject({ kind: 'sessions_ended', actor: userId });
  });

  test('is done from another session by its id, and never to somebody else’s', async () => {
    await signUp('lost_phone');
    const [phone, laptop] = [await signIn('lost_phone', 'phone'), await signIn('lost_phone', 'laptop')];
    expect((await end(`/${phone.id}`, olivia.token)).status).toBe(404);
    expect((await end(`/${phone.id}`, laptop.accessToken)).status).toBe(204);
    expect((await end(`/${phone.id}`, laptop.accessToken)).status).toBe(404);
    expect(await isGood(phone.accessToken)).toBe(false);
    expect(await isGood(laptop.accessToken)).toBe(true);
    for (const id of ['nonsense', '%00', 'current']) expect((await end(`/${id}`, olivia.token)).status).toBe(404);
  });
});

test('the list says since when, from where and with what one is signed in', async () => {
  await signUp('lister');
  const [first, gone] = [await signIn('lister', 'a phone'), await signIn('lister', 'a borrowed laptop')];
  const last = await signIn('lister', `a long-winded browser${'.'.repeat(500)}`);
  await end(`/${gone.id}`, first.accessToken);
  const { body } = await api.get('/v1/sessions', last.accessToken);
  const from = { address: expect.stringMatching(/127\.0\.0\.1$/) as string };
  expect(body.data).toMatchObject([
    { id: last.id, current: true, ...from },
    { id: first.id, current: false, userAgent: 'a phone', ...from },
  ]);
  expect(body.data[0].userAgent).toHaveLength(200);

  await owner.query(`update sessions set last_used_at = now() - interval '1 hour' where id = $1`, [first.id]);
  await eventually(
    async () => {
      const { data } = (await api.get('/v1/sessions', first.accessToken)).body;
      expect(Date.now() - Date.parse(data[1].lastUsedAt)).toBeLessThan(600_000);
    },
    { withinMs: 15_000 },
  );
});

describe('all sessions end', () => {
  test('but the one that changes the password', async () => {
    await signUp('changer');
    const [other, here] = [await signIn('changer'), await signIn('changer')];
    const body = { currentPassword: PASSWORD, newPassword: 'another long password' };
    expect((await api.ask('PUT', '/v1/me/password', { token: here.accessToken, body })).status).toBe(204);
    expect(await isGood(other.accessToken)).toBe(false);
    expect(await refresh(other.refreshToken)).toMatchObject(USED_UP);
    expect(await isGood(here.accessToken)).toBe(true);
    expect(await refresh(here.refreshToken)).toMatchObject({ status: 200 });
  });

  test('when their user is frozen, and stay so when the user is thawed', async () => {
    await signUp('frosty');
    const { accessToken, refreshToken } = await signIn('frosty');
    const say = (kind: string) => api.post(`/v1/ops/users/frosty/${kind}`, { reason: 'because' }, olivia.token);
    expect((await say('freeze')).status).toBe(200);
    expect(await isGood(accessToken)).toBe(false);
    expect(await refresh(refreshToken)).toMatchObject(USED_UP);
    expect((await say('unfreeze')).status).toBe(200);
    expect(await isGood(accessToken)).toBe(false);
    expect(await isGood((await signIn('frosty')).accessToken)).toBe(true);
  });

  test('when staff ends them, and their user may sign in again', async () => {
    await signUp('shown_out');
    const { accessToken, refreshToken } = await signIn('shown_out');
    const path = '/v1/ops/users/shown_out/sessions';
    expect((await api.ask('DELETE', path, { token: olivia.token })).status).toBe(204);
    expect(await isGood(accessToken)).toBe(false);
    expect(await refresh(refreshToken)).toMatchObject(USED_UP);
    const { userId } = await meOf('shown_out');
    expect((await told(userId)).at(-1)).toMatchObject({ kind: 'sessions_ended', detail: { why: 'ended_by_staff' } });
    await signIn('shown_out');
    expect(await api.ask('DELETE', '/v1/ops/users/olivia/sessions', { token: olivia.token })).toMatchObject({
      status: 403,
      body: { code: 'own_request' },
    });
  });
});

test('none is begun with a password that was changed while it was checked', async () => {
  await signUp('slow_log_in');
  const user = (await new Users(api.deps.shards, api.deps.sealer).byUsername('slow_log_in'))!;
  const { accessToken } = await signIn('slow_log_in');
  const body = { currentPassword: PASSWORD, newPassword: 'another password of theirs' };
  expect((await api.ask('PUT', '/v1/me/password', { token: accessToken, body })).status).toBe(204);
  const sessions = new Sessions(api.deps.shards, api.deps.sealer, 3_600);
  expect(await sessions.start(user, {}, { actorId: user.id })).toBeUndefined();
});

describe('API keys', () => {
  const make = async (token: string) => {
    const wanted = { name: 'for a service', scopes: ['profile:read'], expiresInDays: 1 };
    const { status, body } = await api.post('/v1/api-keys', wanted, token);
    expect(status).toBe(201);
    return body as { id: string; key: string };
  };
  const changePassword = (token: string, more: object) => {
    const body = { currentPassword: PASSWORD, newPassword: PASSWORD, ...more };
    return api.ask('PUT', '/v1/me/password', { token, body });
  };
  const ways: [string, string, (token: string, name: string) => Promise<Answer>][] = [
    ['changed', 'the password is changed, and they with it', (token) => changePassword(token, { revokeApiKeys: true })],
    ['left', 'their owner signs out everywhere, and they are to end', (token) => end('?revokeApiKeys=true', token)],
    [
      'thrown_out',
      'staff signs their owner out',
      (_, name) => api.ask('DELETE', `/v1/ops/users/${name}/sessions`, { token: olivia.token }),
    ],
  ];

  test('outlive a change of the password, and signing out everywhere, unless they are to end as well', async () => {
    await signUp('keeps_keys');
    const { accessToken } = await signIn('keeps_keys');
    const { key } = await make(accessToken);
    expect((await changePassword(accessToken, {})).status).toBe(204);
    expect((await end('', accessToken)).status).toBe(204);
    expect(await isGood(key)).toBe(true);
  });

  test.each(ways)('of %s end when %s, all at once, and the chain knows it', async (name, _when, way) => {
    await signUp(name);
    const { accessToken } = await signIn(name);
    const [one, other] = [await make(accessToken), await make(accessToken)];
    expect(await isGood(one.key)).toBe(true);
    expect((await way(accessToken, name)).status).toBe(204);
    for (const { key } of [one, other]) expect(await isGood(key)).toBe(false);
    const { userId } = await meOf(name);
    expect((await told(userId)).at(-1)).toMatchObject({ detail: { apiKeys: 'revoked' } });

    const again = await make((await signIn(name)).accessToken);
    expect(await isGood(again.key)).toBe(true);
    const { db } = api.deps.shards.shard(0);
    expect((await verifyShard(db)).findings).toEqual([]);
    await owner.query('update api_keys set revoked_at = null where id = $1', [other.id]);
    expect((await verifyShard(db)).findings).toMatchObject([{ kind: 'api_key', subject: other.id }]);
    await owner.query('update api_keys set revoked_at = now() where id = $1', [other.id]);
  });

  test('are made in no session that has ended, whatever a process remembers of it', async () => {
    await signUp('thief');
    const { accessToken } = await signIn('thief');
    await make(accessToken);
    const { userId } = await meOf('thief');
    const elsewhere = new Sessions(api.deps.shards, api.deps.sealer, 3_600);
    await elsewhere.endAll(userId, { why: 'logged_out', revokeApiKeys: true }, { actorId: userId });
    const wanted = { name: 'for later', scopes: ['profile:read'], expiresInDays: 1 };
    expect(await api.post('/v1/api-keys', wanted, accessToken)).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated' },
    });
    const keys = new ApiKeys(api.deps.shards, api.deps.sealer);
    expect(await keys.list(userId)).toEqual([]);
  });

  test('end by staff where there is no session any more', async () => {
    await signUp('only_keys');
    const { accessToken } = await signIn('only_keys');
    const { key } = await make(accessToken);
    await end('/current', accessToken);
    expect((await api.ask('DELETE', '/v1/ops/users/only_keys/sessions', { token: olivia.token })).status).toBe(204);
    expect(await isGood(key)).toBe(false);
  });
});
