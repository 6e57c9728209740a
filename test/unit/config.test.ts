import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BANK_VARIABLES } from '../../cli/bank-settings';
import { CONFIG_VARIABLES, loadConfig, loadDatabases } from '../../cli/config';
import { LOCAL_VARIABLES } from '../../cli/local-settings';
import { OPS_VARIABLES } from '../../cli/ops/settings';
import { settingInFile, type Env } from '../../cli/settings';
import { MOVE_VARIABLES } from '../../cli/shards/settings';
import { TEMPORAL_VARIABLES } from '../../cli/temporal-settings';
import { good, key, problems, variables } from '../support/settings';

test('a complete environment becomes a typed configuration, with the defaults of the rest', () => {
  const config = loadConfig(good);
  expect(config).toMatchObject({
    production: false,
    http: { host: '127.0.0.1', port: 3000 },
    shards: [{ url: 'postgres://app:secret@db0/holdfast_0' }, { url: 'postgres://app:secret@db1/holdfast_1' }],
    temporal: { address: 'temporal:7233', namespace: 'default', connectionOptions: { address: 'temporal:7233' } },
    bank: { url: 'https://bank.example.com', apiKey: good.HOLDFAST_BANK_API_KEY, deadlineMs: 5000 },
    lane: { deadlineMs: 5000, maxQueued: 10_000, maxGroup: 500, groupsInFlight: 8 },
    transfers: { attentionAfterMs: 60_000, slowBeatMs: 60_000, groupMaxAgeMs: 600_000 },
    sweep: { everyMs: 30_000, youngMs: 15_000 },
    notify: { everyMs: 5_000, maxAttempts: 30, log: 'ops' },
    tokenTtlSeconds: 3600,
    sessions: { ttlSeconds: 604_800, revokedWithinMs: 3_000 },
    logLevel: 'info',
  });
  expect(config.bank.webhookSecrets).toEqual(good.HOLDFAST_BANK_WEBHOOK_SECRETS.split(', '));
  expect(config.secrets.sealKeys.map(({ id, key }) => [id, key.length])).toEqual([
    ['b', 32],
    ['a', 32],
  ]);
});

test('all mistakes are reported at once, each with its variable', () => {
  const found = variables({
    ...good,
    HOLDFAST_ENV: 'prod',
    PORT: '3000x',
    LOG_LEVEL: 'loud',
    HOLDFAST_TOKEN_KEY: 'short',
    HOLDFAST_SEAL_KEYS: 'a:AAAA',
    HOLDFAST_LANE_MAX_GROUP: '0',
    HOLDFAST_DATABASE_URLS: 'mysql://x/y',
    HOLDFAST_BANK_URL: 'bank.example.com',
    HOLDFAST_BANK_WEBHOOK_SECRETS: `${key()},short`,
    TEMPORAL_ADDRESS: 'http://temporal:7233',
  });
  expect(found.sort()).toEqual([
    'HOLDFAST_BANK_URL',
    'HOLDFAST_BANK_WEBHOOK_SECRETS',
    'HOLDFAST_DATABASE_URLS',
    'HOLDFAST_ENV',
    'HOLDFAST_LANE_MAX_GROUP',
    'HOLDFAST_SEAL_KEYS',
    'HOLDFAST_TOKEN_KEY',
    'LOG_LEVEL',
    'PORT',
    'TEMPORAL_ADDRESS',
  ]);
});

test('a mistake never repeats a secret', () => {
  const env = {
    ...good,
    HOLDFAST_DATABASE_URLS: 'postgres//app:hunter2@db0',
    HOLDFAST_SEAL_KEYS: 'hunter2',
    HOLDFAST_TOKEN_KEY: 'hunter2',
    HOLDFAST_BANK_API_KEY: 'hunter2',
    HOLDFAST_BANK_WEBHOOK_SECRETS: 'hunter2',
  };
  expect(problems(env)).toHaveLength(5);
  expect(problems(env).join('\n')).not.toContain('hunter2');
});

test('production has no default secrets and no default servers: each missing one is named', () => {
  expect(variables({ HOLDFAST_ENV: 'production' }).sort()).toEqual([
    'HOLDFAST_BANK_API_KEY',
    'HOLDFAST_BANK_URL',
    'HOLDFAST_BANK_WEBHOOK_SECRETS',
    'HOLDFAST_COMMAND_KEY',
    'HOLDFAST_DATABASE_URLS',
    'HOLDFAST_SEAL_KEYS',
    'HOLDFAST_TOKEN_KEY',
    'TEMPORAL_ADDRESS',
  ]);
  expect(problems({ ...good, HOLDFAST_ENV: 'production' })).toEqual([]);
});

test('a shard may have a replica, and a place without one is left empty', () => {
  const replica = 'postgres://app:secret@db2/holdfast_1';
  const config = loadConfig({ ...good, HOLDFAST_REPLICA_URLS: `, ${replica}`, HOLDFAST_REPLICA_MAX_LAG_MS: '700' });
  expect(config.shards.map((shard) => shard.replica)).toEqual([undefined, { url: replica, maxLagMs: 700 }]);
  expect(loadDatabases({ ...good, HOLDFAST_REPLICA_URLS: `${replica},` }).shards).toMatchObject([
    { replica: { url: replica, maxLagMs: 5_000 } },
    {},
  ]);

  const wrong = (urls: string) => problems({ ...good, HOLDFAST_REPLICA_URLS: urls });
  expect(wrong(replica)).toEqual([
    'HOLDFAST_REPLICA_URLS: lists 1, but there are 2 shards: give one URL a shard, beginning with shard 0, and an empty' +
      ' place for one that has none.',
  ]);
  expect(wrong('postgres://app:secret@db0/holdfast_0,')).toEqual([expect.stringContaining('another server’s')]);
  expect(wrong(`${replica},${replica}`)).toEqual([expect.stringContaining('the same database twice')]);
  expect(wrong(',db2/holdfast_1')).toEqual([expect.stringContaining('URL number 2 must look like')]);
});

test('what waits for approval is an amount a currency, in its own digits', () => {
  expect(loadConfig(good).approvalFrom).toEqual(
    new Map([
      ['SGD', 10_000_00n],
      ['JPY', 1_000_000n],
    ]),
  );
  const given = loadConfig({ ...good, HOLDFAST_APPROVAL_FROM: 'KWD:1.234, EUR:5' }).approvalFrom;
  expect([...given]).toEqual([
    ['KWD', 1234n],
    ['EUR', 500n],
  ]);
  for (const HOLDFAST_APPROVAL_FROM of ['SGD', 'SGD:', 'SGD:1.001', 'XXX:1', 'SGD:1,', 'SGD:-1']) {
    expect(variables({ ...good, HOLDFAST_APPROVAL_FROM })).toEqual(['HOLDFAST_APPROVAL_FROM']);
  }
});

test('payload keys encrypt unless they are only to open, and data keys are used unless they are switched off', () => {
  const given = { ...good, HOLDFAST_PAYLOAD_KEYS: `a:${Buffer.alloc(32, 1).toString('base64')}` };
  const secretsOf = (more: object) => loadConfig({ ...given, ...more }).secrets;
  expect(loadConfig(good).secrets).not.toHaveProperty('payloads');
  for (const unsaid of [{}, { HOLDFAST_ENCRYPT_PAYLOADS: '', HOLDFAST_DATA_KEYS: '' }]) {
    expect(secretsOf(unsaid)).toMatchObject({ dataKeys: true, payloads: { encrypts: true, keys: [{ id: 'a' }] } });
  }
  const off = { HOLDFAST_ENCRYPT_PAYLOADS: 'off', HOLDFAST_DATA_KEYS: 'off' };
  expect(secretsOf(off)).toMatchObject({ dataKeys: false, payloads: { encrypts: false } });
});

test('an empty variable is the same as none', () => {
  expect(loadConfig({ ...good, PORT: '', HOLDFAST_OWNER_DATABASE_URLS: ' ' }).http.port).toBe(3000);
  expect(variables({ ...good, HOLDFAST_COMMAND_KEY: '' })).toEqual(['HOLDFAST_COMMAND_KEY']);
});

test('numbers are whole, plain and within their bounds', () => {
  for (const PORT of ['-1', '65536', '3e3', '0x10', '1.5', ' 12 34', '٣'])
    expect(variables({ ...good, PORT })).toEqual(['PORT']);
  expect(loadConfig({ ...good, PORT: ' 3001 ' }).http.port).toBe(3001);
});

test('the owner has one URL a shard', () => {
  const HOLDFAST_OWNER_DATABASE_URLS = 'postgres://owner:secret@db0/holdfast_0';
  expect(variables({ ...good, HOLDFAST_OWNER_DATABASE_URLS })).toEqual(['HOLDFAST_OWNER_DATABASE_URLS']);
  const HOLDFAST_DATABASE_URLS = 'postgres://app:secret@db0/holdfast_0';
  expect(loadConfig({ ...good, HOLDFAST_DATABASE_URLS, HOLDFAST_OWNER_DATABASE_URLS }).shards).toEqual([
    { url: HOLDFAST_DATABASE_URLS, ownerUrl: HOLDFAST_OWNER_DATABASE_URLS },
  ]);
});

test('one database can not be two shards, and one key can not do two jobs', () => {
  const url = 'postgres://app:secret@db0/holdfast_0';
  expect(variables({ ...good, HOLDFAST_DATABASE_URLS: `${url},${url}` })).toEqual(['HOLDFAST_DATABASE_URLS']);
  expect(variables({ ...good, HOLDFAST_TOKEN_KEY: good.HOLDFAST_COMMAND_KEY })).toEqual(['HOLDFAST_TOKEN_KEY']);
  const same = `a:${key()},a:${key()}`;
  expect(variables({ ...good, HOLDFAST_SEAL_KEYS: same })).toEqual(['HOLDFAST_SEAL_KEYS']);
});

test("Temporal's own variables mean what they mean to its SDK", () => {
  const { temporal } = loadConfig({
    ...good,
    TEMPORAL_NAMESPACE: 'wallets',
    TEMPORAL_API_KEY: 'k',
    TEMPORAL_TLS_SERVER_NAME: 'n',
  });
  expect(temporal.namespace).toBe('wallets');
  expect(temporal.connectionOptions).toMatchObject({ apiKey: 'k', tls: { serverNameOverride: 'n' } });
  expect(loadConfig({ ...good, TEMPORAL_API_KEY: 'k' }).temporal.connectionOptions.tls).toBe(true);
  expect(variables({ ...good, TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere.pem' })).toEqual([
    'TEMPORAL_TLS_CLIENT_CERT_PATH',
  ]);
});

test('half of a channel is reported, and both halves make it', () => {
  const webhook = { HOLDFAST_NOTIFY_WEBHOOK_URL: 'https://example.com/', HOLDFAST_NOTIFY_WEBHOOK_SECRET: key() };
  const email = { HOLDFAST_SMTP_URL: 'smtp://mail:25', HOLDFAST_MAIL_FROM: 'Us <us@example.com>' };
  for (const channel of [webhook, email]) {
    for (const [half] of Object.entries(channel)) {
      expect(variables({ ...good, ...channel, [half]: '' })).toEqual([half]);
    }
  }
  expect(variables({ ...good, HOLDFAST_OPS_EMAIL: 'ops@example.com' })).toEqual(['HOLDFAST_SMTP_URL']);
  const wrong = { HOLDFAST_SMTP_URL: 'http://mail', HOLDFAST_MAIL_FROM: 'us', HOLDFAST_OPS_EMAIL: 'a b@c' };
  expect(variables({ ...good, ...wrong }).sort()).toEqual(Object.keys(wrong).sort());
  expect(loadConfig({ ...good, ...webhook, ...email }).notify).toMatchObject({
    webhook: { url: 'https://example.com/' },
    email: { smtpUrl: 'smtp://mail:25', from: 'Us <us@example.com>' },
  });
});

test('an identity provider needs an audience, is reached by https in production, and gives only roles there are', () => {
  const oidc = { HOLDFAST_OIDC_ISSUER: 'https://login.example.com/realms/wallet', HOLDFAST_OIDC_AUDIENCE: 'wallet' };
  expect(loadConfig(good).provider).toBeUndefined();
  expect(loadConfig({ ...good, ...oidc }).provider).toEqual({
    issuer: oidc.HOLDFAST_OIDC_ISSUER,
    audience: 'wallet',
    algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    usernameClaim: 'preferred_username',
  });
  const roles = { HOLDFAST_OIDC_ROLES_CLAIM: 'groups', HOLDFAST_OIDC_ROLES: 'urn:wallet:ops:ops, wallet-admin:admin' };
  expect(loadConfig({ ...good, ...oidc, ...roles }).provider?.roles).toEqual({
    claim: 'groups',
    names: new Map([
      ['urn:wallet:ops', 'ops'],
      ['wallet-admin', 'admin'],
    ]),
  });
  for (const settings of [oidc, roles]) {
    for (const [half] of Object.entries(settings)) {
      expect(variables({ ...good, ...oidc, ...roles, [half]: '' })).toEqual([half]);
    }
  }
  for (const HOLDFAST_OIDC_ALGORITHMS of ['HS256', 'RS256,none', 'RS256,']) {
    expect(variables({ ...good, ...oidc, HOLDFAST_OIDC_ALGORITHMS })).toEqual(['HOLDFAST_OIDC_ALGORITHMS']);
  }
  for (const HOLDFAST_OIDC_ROLES of ['wallet-ops', 'wallet-ops:root', ':ops']) {
    expect(variables({ ...good, ...oidc, ...roles, HOLDFAST_OIDC_ROLES })).toEqual(['HOLDFAST_OIDC_ROLES']);
  }
  const open = { ...good, ...oidc, HOLDFAST_OIDC_ISSUER: 'http://login.example.com' };
  expect(variables(open)).toEqual([]);
  expect(variables({ ...open, HOLDFAST_ENV: 'production' })).toEqual(['HOLDFAST_OIDC_ISSUER']);
});

describe('a setting in a file', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-settings-'))));
  afterAll(() => rmSync(folder, { recursive: true }));
  const inFile = (text: string) => {
    const file = path.join(folder, 'setting');
    writeFileSync(file, text);
    return file;
  };
  const { HOLDFAST_TOKEN_KEY: tokenKey, ...others } = good;

  test('is read from where its variable with _FILE says, without the line’s end', () => {
    const env = { ...others, HOLDFAST_TOKEN_KEY_FILE: inFile(`${tokenKey}\n`) };
    expect(loadConfig(env).secrets.tokenKey).toBe(tokenKey);
    expect(loadDatabases({ HOLDFAST_DATABASE_URLS_FILE: inFile('postgres://a:b@c/d') }).shards).toMatchObject([
      { url: 'postgres://a:b@c/d' },
    ]);
  });

  test('is refused when it is given twice, and when the file can’t be read', () => {
    expect(variables({ ...good, HOLDFAST_TOKEN_KEY_FILE: inFile(tokenKey) })).toEqual(['HOLDFAST_TOKEN_KEY_FILE']);
    expect(variables({ ...others, HOLDFAST_TOKEN_KEY_FILE: folder })).toEqual(['HOLDFAST_TOKEN_KEY_FILE']);
    expect(variables({ ...others, HOLDFAST_TOKEN_KEY_FILE: inFile('') })).toEqual(['HOLDFAST_TOKEN_KEY_FILE']);
  });

  test('may be any of ours, and the file of settings is none', () => {
    expect(settingInFile('HOLDFAST_SMTP_URL_FILE')).toBe('HOLDFAST_SMTP_URL');
    expect(settingInFile('TEMPORAL_API_KEY_FILE')).toBe('TEMPORAL_API_KEY');
    for (const other of ['HOLDFAST_ENV_FILE', 'TEMPORAL_CONFIG_FILE', 'SSL_CERT_FILE', 'HOLDFAST_TOKEN_KEY']) {
      expect(settingInFile(other)).toBeUndefined();
    }
  });
});

test('a webhook that production would not send is reported at start; development sends it', () => {
  const of = (url: string, more: Env = {}) => ({
    ...good,
    HOLDFAST_NOTIFY_WEBHOOK_URL: url,
    HOLDFAST_NOTIFY_WEBHOOK_SECRET: key(),
    ...more,
  });
  const production = { HOLDFAST_ENV: 'production' };
  for (const url of ['http://example.com/', 'https://example.com:8443/', 'https://10.0.0.5/', 'https://0x7f.1/']) {
    expect(variables(of(url, production))).toContain('HOLDFAST_NOTIFY_WEBHOOK_URL');
    expect(variables(of(url))).toEqual([]);
  }
  const allowed = { ...production, HOLDFAST_WEBHOOK_ALLOW_PRIVATE: 'true', HOLDFAST_WEBHOOK_PORTS: '443, 8443' };
  expect(variables(of('https://10.0.0.5:8443/', allowed))).not.toContain('HOLDFAST_NOTIFY_WEBHOOK_URL');
  expect(variables(of('https://example.com/', { HOLDFAST_WEBHOOK_PORTS: '443,70000' }))).toEqual([
    'HOLDFAST_WEBHOOK_PORTS',
  ]);
});

test('rate limits are given by name, none is none, and a mistake is reported', () => {
  const of = (text: string) => loadConfig({ ...good, HOLDFAST_RATE_LIMITS: text }).guard.rates;
  expect(loadConfig(good).guard.rates.user).toEqual({ count: 3_000, seconds: 60 });
  expect(of('none')).toEqual({});
  expect(of('user:5/10, money:none')).toMatchObject({ user: { count: 5, seconds: 10 }, login: { count: 60 } });
  expect(of('money:none').money).toBeUndefined();
  for (const wrong of ['users:5/10', 'user:5', 'user:0/10', 'user:5/0', 'all'])
    expect(variables({ ...good, HOLDFAST_RATE_LIMITS: wrong })).toEqual(['HOLDFAST_RATE_LIMITS']);
  expect(variables({ ...good, HOLDFAST_REDIS_URL: 'http://redis' })).toEqual(['HOLDFAST_REDIS_URL']);
});

test('proxies are believed by number or by address, and nobody otherwise', () => {
  const of = (text: string) => loadConfig({ ...good, HOLDFAST_TRUST_PROXY: text }).guard.trustProxy;
  expect([of(''), of('0'), of('2'), of('loopback, 10.0.0.0/8,fd00::1')]).toEqual([
    false,
    0,
    2,
    ['loopback', '10.0.0.0/8', 'fd00::1'],
  ]);
  for (const wrong of ['true', 'proxy.example.com', '10.0.0.0/99'])
    expect(variables({ ...good, HOLDFAST_TRUST_PROXY: wrong })).toEqual(['HOLDFAST_TRUST_PROXY']);
});

test('limits are given by kind, period and currency, and a mistake in one is reported', () => {
  const given = 'transfer:day:SGD:5000.00, transfer:month:SGD:9000.00,deposit:month:JPY:1000';
  expect([...loadConfig({ ...good, HOLDFAST_LIMITS: given }).defaultLimits]).toEqual([
    ['SGD', { transfer: { day: 500_000n, month: 900_000n } }],
    ['JPY', { deposit: { month: 1000n } }],
  ]);
  expect(loadConfig(good).defaultLimits.size).toBe(0);
  for (const wrong of [
    'transfer:week:SGD:1.00',
    'gift:day:SGD:1.00',
    'transfer:day:SGD:1.005',
    'transfer:day:XXQ:1',
    'x',
  ])
    expect(variables({ ...good, HOLDFAST_LIMITS: wrong })).toEqual(['HOLDFAST_LIMITS']);
});

test('traces go nowhere until it is said where, and then all of them unless it is said how many', () => {
  expect(loadConfig(good)).not.toHaveProperty('tracing');
  const env = { ...good, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  expect(loadConfig(env).tracing).toEqual({ url: 'http://collector:4318', ratio: 1, headers: {} });
  const more = { OTEL_TRACES_SAMPLER_ARG: '0.1', OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%3Db, x = y' };
  expect(loadConfig({ ...env, ...more }).tracing).toMatchObject({ ratio: 0.1, headers: { 'api-key': 'a=b', x: 'y' } });
  const wrong = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
    OTEL_TRACES_SAMPLER_ARG: '10%',
    OTEL_EXPORTER_OTLP_HEADERS: 'a secret key',
  };
  expect(variables({ ...good, ...wrong }).sort()).toEqual(Object.keys(wrong).sort());
  expect(problems({ ...good, ...wrong }).join()).not.toContain('secret key');
});

test('.env.example lists every setting, and no other', () => {
  const text = readFileSync(path.join(__dirname, '../../.env.example'), 'utf8');
  const listed = [...text.matchAll(/^# ([A-Z][A-Z_]+)=/gm)].map((match) => match[1]);
  expect(new Set(listed)).toEqual(
    new Set([
      ...CONFIG_VARIABLES,
      ...LOCAL_VARIABLES,
      ...BANK_VARIABLES,
      ...TEMPORAL_VARIABLES,
      ...OPS_VARIABLES,
      ...MOVE_VARIABLES,
    ]),
  );
});
