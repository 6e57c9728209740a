import { createHmac } from 'node:crypto';
import { exportSPKI } from 'jose';
import { Provider, type ProviderOptions } from '../../api/provider';
import { TestApi, type TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import { Issuer } from '../support/issuer';

const COOLDOWN_MS = 300;

let issuer: Issuer;
let api: TestApi;
let auditor: TestUser;
const options = (more: Partial<ProviderOptions> = {}): ProviderOptions => ({
  issuer: issuer.url,
  audience: issuer.audience,
  algorithms: ['RS256', 'ES256'],
  usernameClaim: 'preferred_username',
  roles: {
    claim: 'realm_access.roles',
    names: new Map([
      ['wallet-user', 'customer'],
      ['wallet-ops', 'ops'],
      ['wallet-admin', 'admin'],
    ]),
  },
  cooldownMs: COOLDOWN_MS,
  ...more,
});
const ROLES = { realm_access: { roles: ['wallet-user', 'something of others'] } };
const OPS = { realm_access: { roles: ['wallet-user', 'wallet-ops', 'wallet-admin'] } };

beforeAll(async () => {
  issuer = await Issuer.start();
  api = await TestApi.start({ provider: new Provider(options()) });
  auditor = await api.newUser('an_auditor', { roles: ['auditor'] });
  await api.newUser('vera', { name: 'Vera Vouched', wallets: ['SGD'] });
});
afterEach(() => (issuer.isAway = false));
afterAll(async () => {
  await api.close();
  await issuer.close();
});

const me = (token: string) => api.get('/v1/me', token);
const told = async (subject: string) =>
  (await api.get(`/v1/ops/audit?subject=${subject}&kind=identity_linked`, auditor.token)).body.data as unknown[];

describe('whom the provider vouches for', () => {
  test('is the user of that name here, told of once at first sight', async () => {
    const token = await issuer.token('Vera', ROLES);
    expect(await told('vera')).toEqual([]);
    for (let n = 0; n < 3; n += 1) expect(await me(token)).toMatchObject({ status: 200, body: { username: 'vera' } });
    expect((await me(await issuer.token('vera', ROLES))).status).toBe(200);
    expect((await api.get('/v1/wallets/vera.SGD', token)).status).toBe(200);
    expect(await told('vera')).toMatchObject([
      { detail: { issuer: issuer.url }, requestId: expect.any(String), address: expect.any(String) },
    ]);
  });

  test('must be a user here, and stays that one person there', async () => {
    await api.newUser('walter');
    await api.newUser('xenia');
    const refused = { status: 403, body: { code: 'unknown_identity' } };
    expect(await me(await issuer.token('nobody_here', ROLES))).toMatchObject(refused);
    expect(await me(await issuer.token('no user@name', ROLES))).toMatchObject(refused);
    expect((await me(await issuer.token('walter', ROLES))).status).toBe(200);
    expect(await me(await issuer.token('walter', { ...ROLES, sub: 'the next to be called walter' }))).toMatchObject(
      refused,
    );
    expect(await me(await issuer.token('xenia', { ...ROLES, sub: 'subject of walter' }))).toMatchObject(refused);
    expect((await me(await issuer.token('xenia', ROLES))).status).toBe(200);
  });

  test('may do what both sides let them, and no more', async () => {
    await api.newUser('olivia', { roles: ['customer', 'ops'] });
    const rolesOf = async (name: string, claims: object) => {
      const token = await issuer.token(name, { ...claims });
      const [asOps, asCustomer] = [await api.get('/v1/ops/attention', token), await api.get('/v1/wallets', token)];
      return [asOps.status, asCustomer.status];
    };
    expect(await rolesOf('olivia', OPS)).toEqual([200, 200]);
    expect(await rolesOf('olivia', ROLES)).toEqual([403, 200]);
    expect(await rolesOf('olivia', { realm_access: { roles: 'wallet-ops' } })).toEqual([200, 403]);
    expect(await rolesOf('olivia', {})).toEqual([403, 403]);
    expect(await rolesOf('vera', OPS)).toEqual([403, 200]);
    const path = '/v1/ops/users/vera/roles';
    const giving = { token: await issuer.token('olivia', OPS), body: { roles: ['admin'] } };
    expect((await api.ask('PUT', path, giving)).status).toBe(403);
  });

  test('is refused when frozen here', async () => {
    await api.newUser('zoe');
    const { token } = await api.newUser('ops_alone', { roles: ['ops'] });
    const theirs = await issuer.token('zoe', ROLES);
    expect((await me(theirs)).status).toBe(200);
    expect((await api.post('/v1/ops/users/zoe/freeze', { reason: 'because' }, token)).status).toBe(200);
    expect(await me(theirs)).toMatchObject({ status: 403, body: { code: 'user_frozen' } });
  });
});

/** By hand, since a library would refuse to sign so. */
async function signedWithPublicKey(): Promise<string> {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${part({ alg: 'HS256', kid: issuer.key.kid })}.${part(issuer.claimsOf('vera', ROLES))}`;
  return `${body}.${createHmac('sha256', await exportSPKI(issuer.key.publicKey))
    .update(body)
    .digest('base64url')}`;
}
function unsigned(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', kid: issuer.key.kid })}.${part(issuer.claimsOf('vera', ROLES))}.`;
}
const now = () => Math.floor(Date.now() / 1_000);
const ago = (seconds: number) => ({ iat: now() - seconds - 60, exp: now() - seconds });
const vera = (more: object) => issuer.token('vera', { ...ROLES, ...more });

const refusedTokens: [string, () => Promise<string> | string][] = [
  ['signed with a key that was never published', async () => issuer.token('vera', ROLES, await issuer.forged())],
  [
    'signed with a key of a name nobody knows',
    async () => issuer.token('vera', ROLES, { ...issuer.key, kid: 'other' }),
  ],
  ['signed with the public key as if it were a secret', signedWithPublicKey],
  ['with no signature at all', unsigned],
  ['by an algorithm that is not allowed', () => issuer.token('vera', ROLES, { ...issuer.key, alg: 'RS512' })],
  ['expired', () => vera(ago(60))],
  ['not good yet', () => vera({ nbf: now() + 60 })],
  ['that never expires', () => vera({ exp: undefined })],
  ['for another audience', () => vera({ aud: 'elsewhere' })],
  ['for no audience', () => vera({ aud: undefined })],
  ['of another issuer', () => vera({ iss: 'https://elsewhere.example.com' })],
  ['that calls itself one of ours', () => vera({ iss: 'holdfast', aud: 'holdfast-api' })],
  ['about nobody', () => vera({ sub: undefined })],
  ['without a username', () => vera({ preferred_username: undefined })],
  ['with another kind of username', () => vera({ preferred_username: ['vera'] })],
  [
    'that was edited',
    async () => {
      const [head, , signature] = (await vera({})).split('.');
      const body = Buffer.from(JSON.stringify(issuer.claimsOf('olivia', OPS))).toString('base64url');
      return `${head}.${body}.${signature}`;
    },
  ],
];

describe('a token', () => {
  test.each(refusedTokens)('%s lets nobody in', async (_what, token) => {
    expect(await me(await token())).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    expect((await me(await vera({}))).status).toBe(200);
  });

  test('by an algorithm that is published, but not allowed, lets nobody in', async () => {
    const choosy = new Provider(options({ algorithms: ['ES256'] }));
    await expect(choosy.verify(await vera({}))).rejects.toMatchObject({ code: 'ERR_JOSE_ALG_NOT_ALLOWED' });
  });

  test('may be a little older or newer than the clocks say', async () => {
    expect((await me(await vera({ exp: now() - 1 }))).status).toBe(200);
    expect((await me(await vera({ nbf: now() + 2 }))).status).toBe(200);
  });
});

describe('the provider’s keys', () => {
  const eventuallyGood = (token: string, of = api) =>
    eventually(async () => expect((await of.get('/v1/me', token)).status).toBe(200), { withinMs: 15_000 });

  test('are asked for again when one is new, and no more often however many there are that nobody knows', async () => {
    await me(await vera({}));
    await issuer.rotate('ES256');
    await eventuallyGood(await vera({}));
    const before = issuer.asked.keys;
    const began = performance.now();
    for (let n = 0; n < 50; n += 1) {
      const token = await issuer.token('vera', ROLES, { ...issuer.key, kid: `made-up-${n}` });
      expect((await me(token)).status).toBe(401);
    }
    const windows = Math.ceil((performance.now() - began) / COOLDOWN_MS) + 1;
    expect(issuer.asked.keys - before).toBeLessThanOrEqual(windows);
    expect(issuer.asked.discovery).toBe(1);
  });

  test('that were taken back are no longer good', async () => {
    const old = issuer.key;
    await me(await vera({}));
    await issuer.rotate();
    await eventuallyGood(await vera({}));
    expect((await me(await issuer.token('vera', ROLES, old))).status).toBe(401);
  });

  test('go on being good while it is away; and our own tokens need none', async () => {
    await eventuallyGood(await vera({}));
    issuer.isAway = true;
    expect((await me(await vera({}))).status).toBe(200);
    expect((await me(auditor.token)).status).toBe(200);
    const stranger = await issuer.token('vera', ROLES, { ...issuer.key, kid: 'not seen yet' });
    await new Promise((resolve) => setTimeout(resolve, COOLDOWN_MS + 50));
    expect((await me(stranger)).status).toBe(401);
    expect((await me(await vera({}))).status).toBe(200);
  });

  test('that were never seen are a 503 while it is away, and only then', async () => {
    issuer.isAway = true;
    const late = await TestApi.start({ provider: new Provider(options()) });
    try {
      const { token } = await late.newUser('vera');
      const theirs = await vera({});
      const answer = await late.get('/v1/me', theirs);
      expect(answer).toMatchObject({ status: 503, body: { code: 'provider_unavailable' } });
      expect((await late.get('/v1/me', token)).status).toBe(200);
      issuer.isAway = false;
      await eventuallyGood(theirs, late);
    } finally {
      await late.close();
    }
  });

  test('are taken from no issuer that calls itself otherwise, and need no discovery where they are named', async () => {
    issuer.calledAs = 'https://elsewhere.example.com';
    const deceived = new Provider(options());
    await expect(deceived.verify(await vera({}))).rejects.toMatchObject({ code: 'provider_unavailable' });
    const told = new Provider(options({ jwksUrl: `${issuer.url}/keys` }));
    expect(await told.verify(await vera({}))).toMatchObject({ username: 'vera', roles: ['customer'] });
    const silent = new Provider(options({ jwksUrl: `${issuer.url}/keys`, roles: undefined }));
    expect(await silent.verify(await vera({}))).not.toHaveProperty('roles');
    issuer.calledAs = issuer.url;
  });
});
