import { inProcess } from '../../api/counters';
import { delayAfter, LogInGuard } from '../../api/log-in-guard';
import { Names } from '../../ledger/names';
import { openShards } from '../../ledger/shards';
import { KnownAddresses } from '../../users/known-addresses';
import { hashPassword } from '../../users/passwords';
import { Users } from '../../users/store';
import { TestApi, type Answer } from '../support/api';
import { cloneDatabase } from '../support/database';
import { silent } from '../support/people';

const PASSWORD = 'correct horse battery';

let api: TestApi;
let passwordHash: string;
beforeAll(async () => {
  const database = await cloneDatabase();
  const shards = openShards({ urls: [database.appUrl], log: silent });
  // However slow the machine is, nobody's wait is over while a test goes on.
  const logInGuard = new LogInGuard(inProcess(), new KnownAddresses(shards, 'a key'), silent as never, 60);
  api = await TestApi.start({ database, deps: { shards, names: new Names(shards), logInGuard, trustProxy: 1 } });
  passwordHash = await hashPassword(PASSWORD);
});
afterAll(() => api.close());

async function signUp(username: string): Promise<void> {
  const facts = { username, name: username, email: `${username}@example.com`, roles: ['customer' as const] };
  await new Users(api.deps.shards, api.deps.sealer).create({ ...facts, passwordHash });
}
const signIn = (username: string, password: string, address = '192.0.2.1'): Promise<Answer> =>
  api.ask('POST', '/v1/sessions', { body: { username, password }, headers: { 'x-forwarded-for': address } });
const statuses = async (answers: Promise<Answer>[]) => (await Promise.all(answers)).map(({ status }) => status).sort();

async function wrong(times: number, username: string, address?: string): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < times; n += 1) all.push((await signIn(username, `guess ${n}`, address)).status);
  return all;
}

/** With nothing hashed, so that many tries take no time. */
function bareGuard() {
  const known = new KnownAddresses(api.deps.shards, 'a key of tests');
  const guard = new LogInGuard(inProcess(), known, silent as never);
  const attempt = (username: string, address: string, isRight: boolean) =>
    guard
      .through({ username, address }, async () => (isRight ? userOf(username) : undefined))
      .then((user) => (user ? 'in' : 'wrong'))
      .catch(
        (error: { code?: string; headers: Record<string, string> }) => `${error.code} ${error.headers['Retry-After']}`,
      );
  return { attempt, known };
}
const userOf = async (username: string) => (await new Users(api.deps.shards, api.deps.sealer).byUsername(username))!;

describe('who guesses the password of somebody', () => {
  test('has five tries, and then waits longer each time; the right password is no way around', async () => {
    await signUp('guessed');
    expect(await wrong(6, 'guessed')).toEqual([401, 401, 401, 401, 401, 401]);
    const { status, headers, body } = await signIn('guessed', PASSWORD);
    expect({ status, code: body.code }).toEqual({ status: 429, code: 'rate_limited' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect([1, 2, 3, 10, 11, 99].map((tooMany) => delayAfter(tooMany))).toEqual([1, 2, 4, 512, 900, 900]);
  });

  test('keeps nobody else out: at another address the user signs in as ever', async () => {
    await signUp('victim');
    await wrong(7, 'victim', '192.0.2.66');
    expect((await signIn('victim', PASSWORD, '192.0.2.2')).status).toBe(201);
    expect((await signIn('victim', PASSWORD, '192.0.2.66')).status).toBe(429);
  });

  test('has no more tries for having a whole network of IPv6, and neighbours are not held up', async () => {
    await signUp('networked');
    const answers = [];
    for (let n = 0; n < 7; n += 1) answers.push((await signIn('networked', 'guess', `2001:db8:1:2::${n}`)).status);
    expect(answers).toEqual([401, 401, 401, 401, 401, 401, 429]);
    expect((await signIn('networked', PASSWORD, '2001:db8:1:2:ffff::1')).status).toBe(429);
    expect((await signIn('networked', PASSWORD, '2001:db8:1:3::1')).status).toBe(201);
  });

  test('has no more tries for making them all at once', async () => {
    await signUp('stormed');
    const answers = await statuses(Array.from({ length: 30 }, (_, n) => signIn('stormed', `guess ${n}`)));
    expect(answers.filter((status) => status === 401)).toHaveLength(6);
    expect(answers.filter((status) => status === 429)).toHaveLength(24);
  });

  test('learns nothing of who there is: of nobody the same is said', async () => {
    await signUp('somebody');
    expect(await wrong(7, 'nobody_at_all')).toEqual(await wrong(7, 'somebody'));
  });

  test('guesses the current password of a stolen token no faster', async () => {
    await signUp('robbed');
    const { body } = await signIn('robbed', PASSWORD);
    const change = (currentPassword: string) =>
      api.ask('PUT', '/v1/me/password', {
        token: body.accessToken,
        body: { currentPassword, newPassword: 'mine from now on' },
      });
    for (let n = 0; n < 6; n += 1) expect((await change(`guess ${n}`)).status).toBe(401);
    expect((await change(PASSWORD)).status).toBe(429);
  });
});

describe('a user', () => {
  test('who signs in has all tries again', async () => {
    await signUp('clumsy');
    for (let round = 0; round < 2; round += 1) {
      expect(await wrong(4, 'clumsy')).toEqual([401, 401, 401, 401]);
      expect((await signIn('clumsy', PASSWORD)).status).toBe(201);
    }
  });

  test('whose password all the world guesses signs in from where they have before, and the world is refused', async () => {
    await signUp('famous');
    const { attempt } = bareGuard();
    expect(await attempt('famous', 'home', true)).toBe('in');
    const world = Array.from({ length: 120 }, (_, n) => attempt('famous', `bot ${n}`, false));
    const answers = await Promise.all(world);
    expect(answers.filter((each) => each.startsWith('rate_limited')).length).toBeGreaterThanOrEqual(20);
    expect(await attempt('famous', 'a new place', true)).toMatch(/^rate_limited/);
    expect(await attempt('famous', 'home', true)).toBe('in');
  });

  test('is known by addresses that nobody can read, each for that user alone, and not for ever', async () => {
    await signUp('settled');
    await signUp('neighbour');
    const { attempt, known } = bareGuard();
    await attempt('settled', '198.51.100.7', true);
    expect(await known.has('settled', '198.51.100.7')).toBe(true);
    expect(await known.has('neighbour', '198.51.100.7')).toBe(false);
    expect(await known.has('nobody_at_all', '198.51.100.7')).toBe(false);
    const { db } = api.deps.shards.shard(0);
    const rows = await db.selectFrom('login_addresses').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain('198.51');
    await db
      .updateTable('login_addresses')
      .set({ last_at: new Date(Date.now() - 91 * 86_400_000) })
      .execute();
    expect(await known.has('settled', '198.51.100.7')).toBe(false);
    await attempt('settled', 'elsewhere', true);
    const { id } = await userOf('settled');
    expect(await db.selectFrom('login_addresses').selectAll().where('user_id', '=', id).execute()).toHaveLength(1);
  });
});

test('a check that could not be made is no wrong try', async () => {
  await signUp('unlucky');
  const guard = new LogInGuard(inProcess(), new KnownAddresses(api.deps.shards, 'a key'), silent as never);
  const who = { username: 'unlucky', address: 'home' };
  for (let n = 0; n < 12; n += 1) {
    await expect(guard.through(who, () => Promise.reject(new Error('too busy')))).rejects.toThrow('too busy');
  }
  expect(await guard.through(who, () => userOf('unlucky'))).toBeDefined();
});
