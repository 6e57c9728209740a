import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { createTokens } from '../../api/tokens';
import { openShards } from '../../ledger/shards';
import type { Sealer } from '../../ledger/seal';
import { TestApi, TOKEN_KEY } from '../support/api';

let api: TestApi;
beforeAll(async () => (api = await TestApi.start()));
afterAll(() => api.close());

const json = { 'content-type': 'application/json' };
const signUp = (raw: string | Buffer, headers: Record<string, string> = json) =>
  api.ask('POST', '/v1/users', { raw, headers });

describe('a body', () => {
  test.each([
    ['empty', ''],
    ['half a document', '{"username": "mei"'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
  ])('that is %s is 400 malformed_json', async (_what, raw) => {
    expect(await signUp(raw)).toMatchObject({ status: 400, body: { code: 'malformed_json' } });
  });

  test('that could not be parsed is quoted neither in the answer nor in the log', async () => {
    const answer = await signUp('{"password": "swordfish" oops');
    expect(JSON.stringify(answer.body) + JSON.stringify(api.logged)).not.toContain('swordfish');
  });

  test.each(['[]', '"text"', '12', 'null'])('that is %s instead of an object is 422', async (raw) => {
    expect(await signUp(raw)).toMatchObject({ status: 422, body: { errors: [{ field: '' }] } });
  });

  test('with a __proto__ field is refused like any unknown field', async () => {
    expect(await signUp('{"__proto__": {"roles": ["admin"]}}')).toMatchObject({
      status: 422,
      body: { errors: expect.arrayContaining([{ field: '/__proto__', message: 'is not a field of this request' }]) },
    });
  });

  test.each([
    ['text/plain', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['JSON in another charset', { 'content-type': 'application/json; charset=latin1' }],
    ['JSON, but compressed', { ...json, 'content-encoding': 'gzip' }],
  ])('that comes as %s is 415', async (_what, headers) => {
    expect(await signUp(gzipSync('{}'), headers)).toMatchObject({
      status: 415,
      body: { code: 'unsupported_media_type' },
    });
  });

  test('is also taken where the type names its charset', async () => {
    expect(await signUp('{}', { 'content-type': 'application/json; charset=utf-8' })).toMatchObject({ status: 422 });
  });

  test('of more than 100 kB is 413, said in its length or not', async () => {
    const large = JSON.stringify({ name: 'x'.repeat(110 * 1024) });
    expect(await signUp(large)).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
    const chunked = await fetch(`${api.url}/v1/users`, {
      method: 'POST',
      headers: json,
      body: new Blob([large]).stream(),
      duplex: 'half',
    });
    expect(chunked.status).toBe(413);
  });

  test('that its sender breaks off is no error of ours', async () => {
    const socket = net.connect(Number(new URL(api.url).port));
    socket.write(
      'POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"a',
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(api.logged.at(-1)).toMatchObject({ route: '/v1/users', status: 499, level: 30 });
  });
});

describe('an address', () => {
  test('that is unknown is a 404 problem', async () => {
    const answer = await api.get('/v1/nothing');
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found', instance: '/v1/nothing' } });
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  });

  test.each(['PUT', 'PATCH', 'DELETE', 'GET'])(
    'that does not take %s is 405 and says what it takes',
    async (method) => {
      const answer = await api.ask(method, '/v1/users');
      expect(answer).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } });
      expect(answer.headers.get('allow')).toBe('POST, OPTIONS');
    },
  );

  test('tells its methods to OPTIONS, and answers HEAD as it answers GET, without the body', async () => {
    const options = await api.ask('OPTIONS', '/v1/wallets');
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, GET, HEAD, OPTIONS']);
    const head = await api.ask('HEAD', '/healthz');
    expect(head).toMatchObject({ status: 200, body: undefined });
    expect(head.headers.get('content-length')).toBe('15');
  });
});

describe('a request’s id', () => {
  test('is the client’s own where it is usable, in header, problem and log', async () => {
    const answer = await api.ask('GET', '/v1/nothing', { headers: { 'x-request-id': 'order-7.retry_2' } });
    expect(answer.headers.get('x-request-id')).toBe('order-7.retry_2');
    expect(answer.body.requestId).toBe('order-7.retry_2');
    expect(api.logged.at(-1)).toMatchObject({ requestId: 'order-7.retry_2', status: 404, code: 'not_found' });
  });

  test.each(['has spaces', 'x'.repeat(101), '<script>', ''])('is a new one instead of %j', async (id) => {
    const answer = await api.ask('GET', '/healthz', { headers: { 'x-request-id': id } });
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('every answer', () => {
  test('forbids sniffing, framing, scripts and caching, and does not say what made it', async () => {
    const { headers } = await api.get('/healthz');
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'strict-transport-security': expect.stringContaining('max-age='),
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
    expect(headers.has('x-powered-by')).toBe(false);
  });

  test('has one log line, with neither its token nor the address that names a user', async () => {
    const user = await api.newUser('discreet', { wallets: ['SGD'] });
    const before = api.logged.length;
    await api.get('/v1/wallets/discreet.SGD?', user.token);
    expect(api.logged.slice(before)).toEqual([
      expect.objectContaining({ method: 'GET', route: '/v1/wallets/:walletId', status: 200, userId: user.userId }),
    ]);
    expect(JSON.stringify(api.logged.slice(before))).not.toMatch(/discreet|eyJ/);
  });
});

describe('trouble', () => {
  test('that nobody foresaw is a 500 that says nothing, and a log line that says all', async () => {
    const broken = await TestApi.start({
      deps: {
        sealer: {
          begin: () => Promise.reject(new Error('the secret cause')),
        } as unknown as Sealer,
      },
    });
    try {
      const body = { username: 'unlucky', password: 'long enough', name: 'U', email: 'u@example.com' };
      const answer = await broken.post('/v1/users', body);
      expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } });
      expect(JSON.stringify(answer.body)).not.toContain('secret cause');
      expect(broken.logged.at(-1)).toMatchObject({
        status: 500,
        requestId: answer.body.requestId,
        err: { message: 'the secret cause', stack: expect.any(String) },
      });
    } finally {
      await broken.close();
    }
  });

  test('with the shard’s database is a 503 that says when to ask again', async () => {
    const nowhere = openShards({ urls: ['postgres://nobody:x@127.0.0.1:1/none'], log: api.deps.log });
    const cutOff = await TestApi.start({ deps: { shards: nowhere } });
    try {
      const { accessToken } = cutOff.deps.tokens.issue({ userId: 'us_0_a', username: 'any', roles: ['customer'] });
      const answer = await cutOff.get('/v1/wallets', accessToken);
      const detail = 'Shard 0 is not reachable.';
      expect(answer).toMatchObject({ status: 503, body: { code: 'shard_unavailable', detail } });
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(await cutOff.get('/readyz')).toMatchObject({
        status: 503,
        body: { status: 'not_ready', checks: { shard_0: 'failed' } },
      });
      expect((await cutOff.get('/healthz')).status).toBe(200);
    } finally {
      await cutOff.close();
    }
  });
});

describe('a process that is stopping', () => {
  test('is not ready and begins nothing new, but still answers reads', async () => {
    let stopping = false;
    const leaving = await TestApi.start({ deps: { isStopping: () => stopping } });
    try {
      const user = await leaving.newUser('last_guest', { wallets: ['SGD'] });
      expect(await leaving.get('/readyz')).toMatchObject({ status: 200, body: { status: 'ready' } });
      stopping = true;
      expect(await leaving.get('/readyz')).toMatchObject({ status: 503, body: { status: 'stopping' } });
      const answer = await leaving.post('/v1/wallets', { currency: 'JPY' }, user.token);
      expect(answer).toMatchObject({ status: 503, body: { code: 'shutting_down' } });
      expect((await leaving.get('/v1/wallets/last_guest.SGD', user.token)).status).toBe(200);
      expect((await leaving.get('/healthz')).status).toBe(200);
    } finally {
      await leaving.close();
    }
  });
});

describe('a token', () => {
  test('that was verified and remembered still ends when it expires', async () => {
    const tokens = createTokens({ key: TOKEN_KEY, ttlSeconds: 1 });
    const brief = await TestApi.start({ deps: { tokens } });
    try {
      const user = await brief.newUser('brief');
      expect((await brief.get('/v1/me', user.token)).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      expect((await brief.get('/v1/me', user.token)).status).toBe(401);
    } finally {
      await brief.close();
    }
  });
});
