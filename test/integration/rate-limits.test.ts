import { Writable } from 'node:stream';
import { Redis } from 'ioredis';
import pino from 'pino';
import { register } from 'prom-client';
import { inProcess, sharedBy, take, type Counters } from '../../api/counters';
import type { ApiDeps } from '../../api/deps';
import { LogInGuard } from '../../api/log-in-guard';
import { RateLimits } from '../../api/rate-limits';
import type { RatePolicies } from '../../contracts/rate-limits';
import { TestApi } from '../support/api';
import { eventually } from '../support/eventually';
import { hasRedis, RedisServer } from '../support/redis';

const open: TestApi[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.close()));
});

async function start(policies: RatePolicies, deps: Partial<ApiDeps> = {}, counters = inProcess()): Promise<TestApi> {
  const api = await TestApi.start({ deps: { rates: new RateLimits(counters, policies), ...deps } });
  open.push(api);
  return api;
}

const minute = (count: number) => ({ count, seconds: 60 });
const refused = async (policy: string) => {
  const { values } = await register.getSingleMetric('holdfast_rate_limited_total')!.get();
  return values.find(({ labels }) => labels['policy'] === policy)?.value ?? 0;
};

describe('who asks too often', () => {
  test('is told how much is left, and then to wait, in the form that the IETF drafts', async () => {
    // What reads openapi.json first counts too.
    const api = await start({ address: minute(4), user: minute(2) });
    const { token } = await api.newUser('polite');
    const before = await refused('user');
    const { headers, status } = await api.get('/v1/me', token);
    expect(status).toBe(200);
    expect(headers.get('ratelimit-policy')).toBe('"address";q=4;w=60, "user";q=2;w=60');
    expect(headers.get('ratelimit')).toMatch(/^"address";r=2;t=\d\d?, "user";r=1;t=\d\d?$/);
    await api.get('/v1/me', token);
    const answer = await api.get('/v1/me', token);
    expect(answer).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(answer.headers.get('ratelimit')).toMatch(/"user";r=0;t=\d\d?$/);
    expect(await refused('user')).toBe(before + 1);
  });

  test('is refused for the address before anybody looks at a token', async () => {
    const api = await start({ address: minute(2) });
    expect((await api.get('/v1/me', 'forged')).status).toBe(401);
    expect((await api.get('/v1/me', 'forged')).status).toBe(429);
  });

  test('takes nothing from others of the same address while that one has enough', async () => {
    const api = await start({ user: minute(1) });
    const [one, other] = [await api.newUser('one'), await api.newUser('other')];
    expect((await api.get('/v1/me', one.token)).status).toBe(200);
    expect((await api.get('/v1/me', one.token)).status).toBe(429);
    expect((await api.get('/v1/me', other.token)).status).toBe(200);
  });

  test('may read on when there was too much money in it; a bulk request counts as many as it is worth', async () => {
    const api = await start({ money: minute(5) }, { lanes: { submitAll: async () => [] } as never });
    const { token } = await api.newUser('rich', { wallets: ['SGD'] });
    const transfers = Array.from({ length: 41 }, (_, n) => {
      return { idempotencyKey: `${n}`, from: 'other.SGD', to: 'rich.SGD', amount: '1.00' };
    });
    const { status, headers } = await api.post('/v1/transfers/bulk', { transfers }, token);
    expect({ status, left: headers.get('ratelimit')?.slice(0, 11) }).toEqual({ status: 207, left: '"money";r=0' });
    expect((await api.post('/v1/transfers', transfers[0], token)).status).toBe(429);
    expect((await api.get('/v1/wallets', token)).status).toBe(200);
  });

  test('can sign in and up so often only; the health of a process is always told', async () => {
    const api = await start({ address: minute(3), login: minute(1) });
    const credentials = { username: 'nobody', password: 'a long enough one' };
    expect((await api.post('/v1/sessions', credentials)).status).toBe(401);
    expect((await api.post('/v1/users', {})).status).toBe(429);
    await api.get('/v1/me');
    expect((await api.get('/v1/me')).status).toBe(429);
    expect((await api.get('/healthz')).status).toBe(200);
    expect((await api.get('/readyz')).headers.get('ratelimit')).toBeNull();
  });
});

describe('where a request comes from', () => {
  const from = (api: TestApi, forwarded: string) =>
    api.ask('GET', '/v1/me', { headers: { 'x-forwarded-for': forwarded } });

  test('nobody is believed who merely says so', async () => {
    const api = await start({ address: minute(2) });
    expect((await from(api, '1.2.3.4')).status).toBe(401);
    expect((await from(api, '5.6.7.8')).status).toBe(429);
  });

  test('a proxy that nobody named is told of, once; that there is none can be said', async () => {
    const warned = ({ logged }: TestApi) => logged.filter(({ msg }) => String(msg).includes('HOLDFAST_TRUST_PROXY'));
    const api = await start({});
    await api.get('/v1/me');
    expect(warned(api)).toEqual([]);
    for (let n = 0; n < 3; n++) await from(api, '1.2.3.4');
    expect(warned(api)).toHaveLength(1);
    const said = await start({ address: minute(2) }, { trustProxy: 0 });
    expect((await from(said, '1.2.3.4')).status).toBe(401);
    expect((await from(said, '5.6.7.8')).status).toBe(429);
    expect(warned(said)).toEqual([]);
  });

  test('a proxy of ours is, and what stood in the header before it came to that is not', async () => {
    const api = await start({ address: minute(1) }, { trustProxy: ['loopback'] });
    expect((await from(api, '9.9.9.9, 1.2.3.4')).status).toBe(401);
    expect((await from(api, '8.8.8.8, 1.2.3.4')).status).toBe(429);
    expect((await from(api, '8.8.8.8, 5.6.7.8')).status).toBe(401);
  });

  test('addresses of one IPv6 network are one, and IPv4 is itself in any form', async () => {
    const api = await start({ address: minute(1) }, { trustProxy: 1 });
    expect((await from(api, '2001:db8:1:2::1')).status).toBe(401);
    expect((await from(api, '2001:db8:1:2:ffff::2')).status).toBe(429);
    expect((await from(api, '2001:db8:1:3::1')).status).toBe(401);
    expect((await from(api, '203.0.113.9')).status).toBe(401);
    expect((await from(api, '::ffff:203.0.113.9')).status).toBe(429);
  });
});

const withRedis = hasRedis ? describe : describe.skip;

withRedis('counted in a Redis that processes share', () => {
  let redis: RedisServer;
  const counters: Counters[] = [];
  const logged: string[] = [];
  const log = pino(
    { level: 'info' },
    new Writable({ write: (line: Buffer, _, done) => (logged.push(line.toString()), done()) }),
  );
  const share = () => {
    const shared = sharedBy(redis.url, log);
    counters.push(shared);
    return shared;
  };
  const fallbacks = async () => {
    const { values } = await register.getSingleMetric('holdfast_rate_limit_fallbacks_total')!.get();
    return values[0]?.value ?? 0;
  };
  /** Takes one, and says whether Redis counted it. */
  async function isShared(counter: ReturnType<Counters['open']>, key: string): Promise<boolean> {
    const before = await fallbacks();
    await take(counter, key);
    return (await fallbacks()) === before;
  }

  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(async () => {
    for (const each of counters) each.close();
    await redis.goAway();
  });

  test('a limit holds over all of them', async () => {
    const [one, other] = [share(), share()].map((each) => each.open({ name: 'over_all', points: 20, seconds: 60 }));
    await eventually(async () =>
      expect(await Promise.all([isShared(one!, 'w'), isShared(other!, 'w')])).toEqual([true, true]),
    );
    const taken = await Promise.all(Array.from({ length: 30 }, (_, n) => take(n % 2 ? one! : other!, 'k')));
    expect(taken.filter(({ isRefused }) => !isRefused)).toHaveLength(20);
  });

  test('nothing is counted in it without an end', async () => {
    const shared = share();
    const known = { has: async () => false, remember: async () => undefined };
    const guard = new LogInGuard(shared, known, log);
    const requests = shared.open({ name: 'ends', points: 1, seconds: 60 });
    await eventually(async () => expect(await isShared(requests, 'one')).toBe(true));
    const user = { id: 'us_0_a' };
    for (let n = 0; n < 8; n += 1) {
      const check = async () => (n === 7 ? user : undefined);
      await guard.through({ username: 'ends', address: `home ${n % 2}` }, check).catch(() => undefined);
    }
    const client = new Redis(redis.url);
    const keys = await client.keys('holdfast:*');
    const names = keys.map((key) => key.split(':')[1]);
    expect(names).toEqual(expect.arrayContaining(['ends', 'login_tries', 'login_budget']));
    for (const key of keys) expect({ key, ends: (await client.pttl(key)) > 0 }).toEqual({ key, ends: true });
    client.disconnect();
  });

  test('a request fails neither without it nor because it says nothing; then it is counted here, and there again later', async () => {
    const counter = share().open({ name: 'away', points: 2, seconds: 60 });
    await eventually(async () => expect(await isShared(counter, 'warm')).toBe(true));
    for (const [key, gone, back] of [
      ['frozen', () => redis.freeze(), () => redis.thaw()],
      ['killed', () => redis.goAway(), () => redis.comeBack()],
    ] as const) {
      await gone();
      const answers = [];
      for (let n = 0; n < 3; n += 1) answers.push((await take(counter, key)).isRefused);
      expect(answers).toEqual([false, false, true]);
      // Nobody waits for it once it is known to be away.
      const startedAt = performance.now();
      for (let n = 0; n < 200; n += 1) await take(counter, `${key} quick`);
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      await back();
      await eventually(async () => expect(await isShared(counter, `${key} back`)).toBe(true), { withinMs: 20_000 });
    }
    for (const said of ['Redis is away', 'Redis is back'])
      expect(logged.filter((line) => line.includes(said)).length).toBeGreaterThan(1);
  });
});
