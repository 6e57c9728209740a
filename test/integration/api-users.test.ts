import pg from 'pg';
import { TestApi } from '../support/api';

let api: TestApi;
beforeAll(async () => (api = await TestApi.start()));
afterAll(() => api.close());

const person = (username: string) => ({
  username,
  password: 'correct horse battery',
  name: 'Mei Lin Tan',
  email: `${username}@example.com`,
});

const signUp = (username: string) => api.post('/v1/users', person(username));
const signIn = (username: string, password: string) => api.post('/v1/sessions', { username, password });

describe('signing up', () => {
  test('makes a customer who can sign in and see who they are', async () => {
    const created = await signUp('mei');
    expect(created).toMatchObject({
      status: 201,
      body: { username: 'mei', name: 'Mei Lin Tan', email: 'mei@example.com', roles: ['customer'] },
    });
    const session = await signIn('mei', 'correct horse battery');
    expect(session.status).toBe(201);
    expect(await api.get('/v1/me', session.body.accessToken)).toMatchObject({ status: 200, body: created.body });
  });

  test('never gives a username twice, and tells the second that it is taken', async () => {
    await signUp('taken');
    expect(await signUp('taken')).toMatchObject({ status: 409, body: { code: 'username_taken' } });
  });

  test('gives a username once when ten people ask for it at the same moment', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => signUp('wanted')));
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, ...Array<number>(9).fill(409)]);
  });

  test('gives nobody a role they ask for', async () => {
    const answer = await api.post('/v1/users', { ...person('climber'), roles: ['admin'] });
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'invalid_request', errors: [{ field: '/roles', message: 'is not a field of this request' }] },
    });
  });

  test('names every mistake at once', async () => {
    const answer = await api.post('/v1/users', { username: 'Mei!', password: 'short', name: '', email: 'nobody' });
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map((each: { field: string }) => each.field)).toEqual([
      '/username',
      '/password',
      '/name',
      '/email',
    ]);
  });

  test('refuses text that Postgres could not keep', async () => {
    const answer = await api.post('/v1/users', { ...person('nul'), name: 'a\u0000b' });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ field: '/name' }] } });
  });

  test('keeps no name, e-mail or password readable in the database or the log', async () => {
    await signUp('private');
    const client = new pg.Client({ connectionString: api.database.ownerUrl });
    await client.connect();
    const { rows } = await client.query('select * from users where username = $1', ['private']);
    await client.end();
    expect(rows).toHaveLength(1);
    for (const text of [JSON.stringify(rows), JSON.stringify(api.logged)]) {
      expect(text).not.toMatch(/Mei Lin|private@example|correct horse/);
    }
    expect(rows[0]).toMatchObject({ password_hash: expect.stringMatching(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/) });
  });
});

describe('a session', () => {
  test('is refused alike for a wrong password and for an unknown user', async () => {
    await signUp('known');
    const wrong = await signIn('known', 'not the password');
    const unknown = await signIn('unknown', 'not the password');
    expect(wrong).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
    expect({ ...wrong.body, requestId: 0 }).toEqual({ ...unknown.body, requestId: 0 });
  });

  test('takes as long to be refused for an unknown user as for a wrong password', async () => {
    await signUp('timed');
    const timed = async (username: string) => {
      const startedAt = performance.now();
      await signIn(username, 'not the password');
      return performance.now() - startedAt;
    };
    const known: number[] = [];
    const unknown: number[] = [];
    for (let round = 0; round < 5; round++) {
      known.push(await timed('timed'));
      unknown.push(await timed('nobody_here'));
    }
    const median = (times: number[]) => times.sort((a, b) => a - b)[2]!;
    // Without the work of hashing, the unknown user would be some ten times faster.
    expect(median(unknown)).toBeGreaterThan(median(known) / 2);
  });

  test('takes the username in any case', async () => {
    await signUp('lower');
    expect((await signIn('LOWER', 'correct horse battery')).status).toBe(201);
  });

  test('says when its token expires', async () => {
    await signUp('expiring');
    const { body } = await signIn('expiring', 'correct horse battery');
    const claims = JSON.parse(Buffer.from(body.accessToken.split('.')[1], 'base64url').toString());
    expect(new Date(body.expiresAt).getTime()).toBe(claims.exp * 1000);
    expect(claims.exp - claims.iat).toBe(600);
  });

  test('carries no personal data in its token but the username', async () => {
    await signUp('modest');
    const { body } = await signIn('modest', 'correct horse battery');
    const claims = JSON.parse(Buffer.from(body.accessToken.split('.')[1], 'base64url').toString());
    expect(Object.keys(claims).sort()).toEqual(['aud', 'exp', 'iat', 'iss', 'roles', 'sid', 'sub', 'username']);
  });
});

describe('changing the password', () => {
  const change = (token: string, currentPassword: string, newPassword: string) =>
    api.ask('PUT', '/v1/me/password', { token, body: { currentPassword, newPassword } });

  test('makes the new one work and the old one not', async () => {
    await signUp('changer');
    const { body } = await signIn('changer', 'correct horse battery');
    expect((await change(body.accessToken, 'correct horse battery', 'another long one')).status).toBe(204);
    expect((await signIn('changer', 'correct horse battery')).status).toBe(401);
    expect((await signIn('changer', 'another long one')).status).toBe(201);
  });

  test('needs the current one', async () => {
    await signUp('borrowed');
    const { body } = await signIn('borrowed', 'correct horse battery');
    const answer = await change(body.accessToken, 'a guess at it', 'another long one');
    expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
    expect((await signIn('borrowed', 'correct horse battery')).status).toBe(201);
  });

  test('twice at once lets one through', async () => {
    await signUp('hasty');
    const { body } = await signIn('hasty', 'correct horse battery');
    const answers = await Promise.all([
      change(body.accessToken, 'correct horse battery', 'the first new one'),
      change(body.accessToken, 'correct horse battery', 'the second new one'),
    ]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([204, 401]);
  });
});
