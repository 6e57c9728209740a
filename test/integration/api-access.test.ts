import { createSigner } from 'fast-jwt';
import { allRoutes } from '../../api/all-routes';
import type { Lanes } from '../../api/lane';
import type { Route } from '../../api/routes';
import { createTokens } from '../../api/tokens';
import { sign, SIGNATURE_HEADER } from '../../bank/signature';
import { NEVER_BY_KEY, roleFor, SCOPES } from '../../contracts/permissions';
import { ROLES, type Role } from '../../contracts/statuses';
import { Sessions } from '../../users/sessions';
import { Users } from '../../users/store';
import { TestApi, TOKEN_KEY, WEBHOOK_SECRET, type AskOptions, type TestUser } from '../support/api';

/** What a route answers a customer who asks for another user's things. */
interface Row {
  /** An address, and a request, that would work for `victim`. */
  path: string;
  request?: AskOptions;
  /** The roles that let a caller in; none where it is public. */
  for?: readonly Role[];
  stranger: 'public' | 'only the caller’s own' | 404 | 403 | 'masked' | 'not found in its item';
}

const EVERYONE = ROLES;
const CUSTOMER = ['customer'] as const;
const STAFF = ['ops', 'auditor', 'admin'] as const;
const OPERATORS = ['ops', 'admin'] as const;

const transfer = { from: 'victim.SGD', to: 'mallory.SGD', amount: '1.00' };
const payment = { wallet: 'victim.SGD', amount: '1.00', bankAccount: 'ba_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' };
const adjustment = { wallet: 'victim.SGD', amount: '-1.00', reason: 'because' };
const newBankAccount = { holder: 'Some Body', number: 'NL91ABNA0417164300', bankCode: 'ABNANL2A' };
const newKey = { name: 'for a service', scopes: ['transactions:read'], expiresInDays: 1 };
const keyed = (body: object) => ({ body, headers: { 'Idempotency-Key': 'theft' } });
const decision = (kind: string, body: object, roles: readonly Role[], stranger: 404 | 403) => ({
  path: `/v1/transactions/THE_TRANSACTION/${kind}`,
  request: { body },
  for: roles,
  stranger,
});
const why = { reason: 'because' };
const noEvents = '{"events":[]}';
const bulk = { transfers: [{ idempotencyKey: 'theft', ...transfer }] };

/** Every route, by its id; one without a row fails the first test. */
const rows: Record<string, Row> = {
  createTransfer: { path: '/v1/transfers', request: keyed(transfer), for: CUSTOMER, stranger: 404 },
  createTransfers: {
    path: '/v1/transfers/bulk',
    request: { body: bulk },
    for: CUSTOMER,
    stranger: 'not found in its item',
  },
  getTransaction: { path: '/v1/transactions/THE_TRANSACTION', for: EVERYONE, stranger: 404 },
  createDeposit: { path: '/v1/deposits', request: keyed(payment), for: CUSTOMER, stranger: 404 },
  createWithdrawal: { path: '/v1/withdrawals', request: keyed(payment), for: CUSTOMER, stranger: 404 },
  receiveBankWebhook: {
    path: '/v1/bank/webhooks',
    request: { raw: noEvents, headers: { [SIGNATURE_HEADER]: sign(WEBHOOK_SECRET, noEvents) } },
    stranger: 'public',
  },
  getFundingInstructions: { path: '/v1/wallets/victim.SGD/funding-instructions', for: CUSTOMER, stranger: 404 },
  addBankAccount: {
    path: '/v1/bank-accounts',
    request: { body: newBankAccount },
    for: CUSTOMER,
    stranger: 'only the caller’s own',
  },
  listBankAccounts: { path: '/v1/bank-accounts', for: CUSTOMER, stranger: 'only the caller’s own' },
  getBankAccount: { path: '/v1/bank-accounts/THE_BANK_ACCOUNT', for: CUSTOMER, stranger: 404 },
  refundTransaction: {
    path: '/v1/transactions/THE_TRANSACTION/refund',
    request: keyed({}),
    for: ['customer', ...OPERATORS],
    stranger: 404,
  },
  cancelTransaction: decision('cancel', {}, ['customer', ...OPERATORS], 404),
  retryTransaction: decision('retry', {}, OPERATORS, 403),
  approveTransaction: decision('approve', {}, OPERATORS, 403),
  rejectTransaction: decision('reject', {}, OPERATORS, 403),
  resolveTransaction: decision('resolve', { outcome: 'cancelled', note: 'because' }, OPERATORS, 403),
  createAdjustment: { path: '/v1/ops/adjustments', request: keyed(adjustment), for: OPERATORS, stranger: 403 },
  listAttention: { path: '/v1/ops/attention', for: STAFF, stranger: 403 },
  listInbox: { path: '/v1/ops/inbox', for: STAFF, stranger: 403 },
  resolveInboxEvent: {
    path: '/v1/ops/inbox/ev_1/resolve',
    request: { body: { note: 'seen' } },
    for: OPERATORS,
    stranger: 403,
  },
  listReconciliations: { path: '/v1/ops/reconciliations', for: STAFF, stranger: 403 },
  startReconciliation: { path: '/v1/ops/reconciliations', for: OPERATORS, stranger: 403 },
  getReconciliation: { path: '/v1/ops/reconciliations/rc_0_books-1', for: STAFF, stranger: 403 },
  listAudit: { path: '/v1/ops/audit', for: STAFF, stranger: 403 },
  freezeWallet: { path: '/v1/ops/wallets/victim.SGD/freeze', request: { body: why }, for: OPERATORS, stranger: 403 },
  unfreezeWallet: {
    path: '/v1/ops/wallets/victim.SGD/unfreeze',
    request: { body: why },
    for: OPERATORS,
    stranger: 403,
  },
  freezeUser: { path: '/v1/ops/users/victim/freeze', request: { body: why }, for: OPERATORS, stranger: 403 },
  unfreezeUser: { path: '/v1/ops/users/victim/unfreeze', request: { body: why }, for: OPERATORS, stranger: 403 },
  listLimits: { path: '/v1/limits', for: CUSTOMER, stranger: 'only the caller’s own' },
  getWalletLimits: { path: '/v1/ops/wallets/victim.SGD/limits', for: STAFF, stranger: 403 },
  setWalletLimits: {
    path: '/v1/ops/wallets/victim.SGD/limits/transfer',
    request: { body: { day: null, ...why } },
    for: OPERATORS,
    stranger: 403,
  },
  unsetWalletLimits: { path: '/v1/ops/wallets/victim.SGD/limits/transfer', for: OPERATORS, stranger: 403 },
  setRoles: {
    path: '/v1/ops/users/victim/roles',
    request: { body: { roles: ['admin'] } },
    for: ['admin'],
    stranger: 403,
  },
  listTransactions: { path: '/v1/transactions', for: CUSTOMER, stranger: 'only the caller’s own' },
  listEntries: { path: '/v1/wallets/victim.SGD/entries', for: CUSTOMER, stranger: 404 },
  openWallet: {
    path: '/v1/wallets',
    request: { body: { currency: 'SGD' } },
    for: CUSTOMER,
    stranger: 'only the caller’s own',
  },
  listWallets: { path: '/v1/wallets', for: CUSTOMER, stranger: 'only the caller’s own' },
  getWallet: { path: '/v1/wallets/victim.SGD', for: CUSTOMER, stranger: 404 },
  getBalance: { path: '/v1/wallets/victim.SGD/balance', for: CUSTOMER, stranger: 404 },
  closeWallet: { path: '/v1/wallets/victim.SGD', for: CUSTOMER, stranger: 404 },
  getPayee: { path: '/v1/payees/victim.SGD', for: CUSTOMER, stranger: 'masked' },
  createUser: { path: '/v1/users', request: { body: {} }, stranger: 'public' },
  getMe: { path: '/v1/me', for: EVERYONE, stranger: 'only the caller’s own' },
  changePassword: {
    path: '/v1/me/password',
    request: { body: { currentPassword: 'victim-demo', newPassword: 'of-mallory-now' } },
    for: EVERYONE,
    stranger: 'only the caller’s own',
  },
  createSession: { path: '/v1/sessions', request: { body: {} }, stranger: 'public' },
  refreshSession: { path: '/v1/sessions/refresh', request: { body: {} }, stranger: 'public' },
  listSessions: { path: '/v1/sessions', for: EVERYONE, stranger: 'only the caller’s own' },
  endSession: { path: '/v1/sessions/THE_SESSION', for: EVERYONE, stranger: 404 },
  endSessions: { path: '/v1/sessions', for: EVERYONE, stranger: 'only the caller’s own' },
  createApiKey: { path: '/v1/api-keys', request: { body: newKey }, for: EVERYONE, stranger: 'only the caller’s own' },
  listApiKeys: { path: '/v1/api-keys', for: EVERYONE, stranger: 'only the caller’s own' },
  revokeApiKey: { path: '/v1/api-keys/THE_KEY', for: EVERYONE, stranger: 404 },
  endUserSessions: { path: '/v1/ops/users/victim/sessions', for: OPERATORS, stranger: 403 },
  findUsers: {
    path: '/v1/ops/users/search',
    request: { body: { email: 'victim@example.com' } },
    for: STAFF,
    stranger: 403,
  },
  erasePersonalData: { path: '/v1/users/victim/personal-data', for: ['admin'], stranger: 403 },
  decodePayloads: { path: '/codec/decode', request: { body: { payloads: [] } }, for: STAFF, stranger: 403 },
  getHealth: { path: '/healthz', stranger: 'public' },
  getReadiness: { path: '/readyz', stranger: 'public' },
  getOpenApi: { path: '/openapi.json', stranger: 'public' },
};

/** Stands where the lane is, to fail the test when a stranger's transfer gets so far. */
const NOTHING_MAY_PASS = {
  submitAll: async (items: unknown[]) => {
    expect(items).toEqual([]);
    return [];
  },
} as unknown as Lanes;

let api: TestApi;
let routes: Route[];
let victim: TestUser;
let mallory: TestUser;
/** Ids that stand for names in addresses. */
let ofVictim: Record<string, string>;

beforeAll(async () => {
  api = await TestApi.start({ lanes: NOTHING_MAY_PASS });
  routes = allRoutes(api.deps);
  victim = await api.newUser('victim', { name: 'Victoria Secretive', wallets: ['SGD'] });
  mallory = await api.newUser('mallory', { name: 'Mallory', wallets: ['SGD'] });
  const transaction = await api.fund('victim', 'SGD', '100.00');
  const number = 'GB29NWBK60161331926819';
  const added = await api.post('/v1/bank-accounts', { ...newBankAccount, number }, victim.token);
  const key = await api.post('/v1/api-keys', newKey, victim.token);
  const by = { actorId: victim.userId };
  const sessions = new Sessions(api.deps.shards, api.deps.sealer, 3_600);
  const user = await new Users(api.deps.shards, api.deps.sealer).byId(victim.userId);
  const session = (await sessions.start(user!, {}, by))!;
  ofVictim = {
    THE_TRANSACTION: transaction,
    THE_BANK_ACCOUNT: added.body.id,
    THE_KEY: key.body.id,
    THE_SESSION: session.sessionId,
  };
});
afterAll(() => api.close());

function ask(row: Route, token: string | undefined, extra: AskOptions = {}) {
  const { path, request = {} } = rows[row.id]!;
  const at = path.replace(/THE_[A-Z_]+/, (name) => ofVictim[name]!);
  return api.ask(row.method.toUpperCase(), at, { token, ...request, ...extra });
}

const claims = { sub: 'us_0_a', username: 'victim', roles: ['customer'], iss: 'holdfast', aud: 'holdfast-api' };
const signed = (options: object, payload: object = claims) =>
  createSigner({ key: TOKEN_KEY, algorithm: 'HS256', expiresIn: 60_000, ...options })(payload);
const unsigned = () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part({ ...claims, iat: 1, exp: 4_102_444_800 })}.`;
};

const badTokens: [string, () => string | undefined][] = [
  ['no token', () => undefined],
  ['an expired one', () => signed({ clockTimestamp: Date.now() - 3_600_000 })],
  ['one signed with another key', () => signed({ key: 'some other key of at least thirty-two characters' })],
  ['one signed with another algorithm', () => signed({ algorithm: 'HS512' })],
  ['one that claims to need no signature', unsigned],
  ['one of another issuer', () => signed({}, { ...claims, iss: 'elsewhere' })],
  ['one for another audience', () => signed({}, { ...claims, aud: 'elsewhere' })],
  ['one that never expires', () => signed({ expiresIn: undefined })],
  ['one with a role that is none of ours', () => signed({}, { ...claims, roles: ['root'] })],
  [
    'a good one whose roles were edited',
    () => {
      const [head, , signature] = victim.token.split('.');
      const body = Buffer.from(JSON.stringify({ ...claims, iat: 1, exp: 4_102_444_800, roles: ['admin'] }));
      return `${head}.${body.toString('base64url')}.${signature}`;
    },
  ],
  ['what is no token at all', () => 'letmein'],
];

describe('access', () => {
  test('has been thought of for every route there is', () => {
    expect(Object.keys(rows).sort()).toEqual(routes.map((row) => row.id).sort());
    for (const row of routes) {
      expect({ id: row.id, open: row.auth === 'public' }).toEqual({
        id: row.id,
        open: rows[row.id]!.stranger === 'public',
      });
    }
  });

  test.each(badTokens)('is refused everywhere with %s, whatever the request says', async (_what, token) => {
    for (const row of routes.filter((each) => each.auth !== 'public')) {
      for (const extra of [{}, { body: undefined, raw: row.body ? 'not even JSON' : undefined }]) {
        const answer = await ask(row, token(), extra);
        expect({ id: row.id, status: answer.status, code: answer.body.code }).toEqual({
          id: row.id,
          status: 401,
          code: 'unauthenticated',
        });
      }
    }
  });

  test('is open without a token only where it has to be', async () => {
    for (const row of routes.filter((each) => each.auth === 'public')) {
      expect([401, 403]).not.toContain((await ask(row, undefined)).status);
    }
  });

  test.each(ROLES)('with only the role %s is 403 on each route that is for others, and on no other', async (role) => {
    const { token } = await api.newUser(`only_${role}`, { roles: [role] });
    for (const { id, auth } of routes) {
      const isLetIn = auth !== 'public' && roleFor(auth, [role]) !== undefined;
      expect({ id, isLetIn }).toEqual({ id, isLetIn: rows[id]!.for?.includes(role) ?? false });
    }
    for (const row of routes.filter((each) => rows[each.id]!.for?.includes(role) === false)) {
      const { status, body } = await ask(row, token);
      expect({ id: row.id, status, code: body.code }).toEqual({ id: row.id, status: 403, code: 'forbidden' });
    }
  });

  test('with an API key is 403 on each route that its scopes don’t name, and a key can never be given all', async () => {
    const { token } = await api.newUser('of_all_trades', { roles: [...ROLES] });
    const make = async (scopes: readonly string[]) => {
      const { status, body } = await api.post('/v1/api-keys', { ...newKey, scopes }, token);
      return { status, key: body.key as string };
    };
    for (const scopes of [['wallets:read'], ['audit:read', 'transactions:read'], SCOPES]) {
      const { key } = await make(scopes);
      for (const row of routes) {
        if (row.auth === 'public' || scopes.includes(row.auth)) continue;
        const { status, body } = await ask(row, key);
        expect({ id: row.id, status, code: body.code }).toEqual({ id: row.id, status: 403, code: 'forbidden' });
      }
    }
    for (const permission of NEVER_BY_KEY) expect((await make([permission])).status).toBe(422);
  });

  test('lets a customer neither see nor move another user’s things, on any route', async () => {
    const before = await everythingOf(victim);
    for (const row of routes) {
      const { stranger } = rows[row.id]!;
      if (stranger === 'public') continue;
      const answer = await ask(row, mallory.token);
      const text = JSON.stringify(answer.body ?? null);
      const seen = { id: row.id, status: answer.status };
      if (typeof stranger === 'number') {
        const code = stranger === 403 ? 'forbidden' : 'not_found';
        expect({ ...seen, code: answer.body.code }).toEqual({ ...seen, status: stranger, code });
      } else if (stranger === 'masked') {
        expect(answer.body).toEqual({ walletId: 'victim.SGD', name: 'V**** S****' });
      } else if (stranger === 'not found in its item') {
        expect(answer.body.results).toMatchObject([{ status: 404, problem: { code: 'not_found' } }]);
      } else {
        expect({ ...seen, names: /victim|Victoria|100\.00/i.test(text) }).toEqual({ ...seen, names: false });
      }
    }
    expect(await everythingOf(victim)).toEqual(before);
  });

  test('tells nobody the difference between another user’s wallet and one that is not there', async () => {
    for (const row of routes.filter((each) => rows[each.id]!.path.includes('victim.SGD'))) {
      if (rows[row.id]!.stranger !== 404) continue;
      const there = await ask(row, mallory.token);
      const absent = await api.ask(row.method.toUpperCase(), rows[row.id]!.path.replace('victim', 'nobody'), {
        token: mallory.token,
      });
      const plain = ({ body }: typeof there) => ({ ...body, requestId: '', instance: '' });
      expect(plain(there)).toEqual(plain(absent));
    }
  });
});

async function everythingOf(user: TestUser) {
  const lists = ['/v1/me', '/v1/wallets', '/v1/transactions', '/v1/bank-accounts', '/v1/sessions', '/v1/api-keys'];
  const paths = [...lists, '/v1/wallets/victim.SGD/entries'];
  const answers = await Promise.all(paths.map((path) => api.get(path, user.token)));
  return answers.map(({ status, body }) => ({ status, body: body as unknown }));
}

test('a token signed before by this key and still good is accepted by another process', async () => {
  const elsewhere = createTokens({ key: TOKEN_KEY, ttlSeconds: 60 });
  expect(elsewhere.verify(victim.token)).toEqual({ userId: victim.userId, username: 'victim', roles: ['customer'] });
});
