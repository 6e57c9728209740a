import type { NativeConnectionOptions } from '@temporalio/worker';
import { z } from 'zod';
import type { ProviderOptions } from '../api/provider';
import type { DefaultLimits } from '../contracts/limits';
import type { PaymentSettings } from '../contracts/payments';
import { guardConfig, guardVariables, type GuardConfig } from './guard-settings';
import { oidcConfig, oidcContradictions, oidcVariables } from './oidc-settings';
import type { NamedKey } from '../ledger/aes';
import type { PayloadKeys } from '../worker/payload-codec';
import { notifyConfig, notifyContradictions, notifyVariables, type NotifyConfig } from './notify-settings';
import {
  amountsByCurrency,
  bankUrl,
  databaseUrls,
  limitsByCurrency,
  replicaUrls,
  sealKeys,
  secretList,
  secretText,
} from './settings-values';
import { ConfigError, integer, oneOf, port, problemsOf, withoutEmpty, type ConfigProblem, type Env } from './settings';
import { temporalSettings } from './temporal-settings';
import { tracingConfig, tracingVariables, type TracingConfig } from './tracing-settings';

/** Everything an `api` or `worker` process is told from outside. Built once, at start, by the composition root. */
export interface Config {
  production: boolean;
  http: { host: string; port: number };
  worker: { healthPort: number };
  /** What a process counts, for who watches it. A worker's is on its health port. */
  metrics: { isOn: boolean; host: string; port: number; slowRequestMs: number; slowQueryMs: number };
  /** One a shard, in order. The owner's URL is only for migrations. */
  shards: { url: string; ownerUrl?: string; replica?: { url: string; maxLagMs: number } }[];
  temporal: {
    address: string;
    namespace: string;
    /** Where people look at workflows, for links. */
    uiUrl?: string;
    /** For NativeConnection.connect and Connection.connect alike. */
    connectionOptions: NativeConnectionOptions;
  };
  secrets: {
    /** Signs access tokens. */
    tokenKey: string;
    /** Keys the hash of commands, which idempotency compares: it never rotates. */
    commandKey: string;
    /** Wrap the keys of personal data: the first wraps, every one unwraps. */
    sealKeys: NamedKey[];
    dataKeys: boolean;
    /** For what Temporal is given; without them people read it in the Web UI as it is. */
    payloads?: PayloadKeys;
  };
  /** For createHttpRail. */
  bank: {
    url: string;
    apiKey: string;
    /** Each may have signed a webhook. */
    webhookSecrets: string[];
    /** How long one call may take. */
    deadlineMs: number;
    /** What all processes together may ask of it, besides each payment's first call. */
    callsPerSecond: number;
  };
  lane: { deadlineMs: number; maxQueued: number; maxGroup: number; groupsInFlight: number };
  transfers: { attentionAfterMs: number; slowBeatMs: number; groupMaxAgeMs: number };
  payments: PaymentSettings;
  /** By currency: a withdrawal of this much or more, in minor units, waits for a second person. */
  approvalFrom: ReadonlyMap<string, bigint>;
  /** For wallets to which staff gave none. Every process has to be told the same. */
  defaultLimits: DefaultLimits;
  sweep: { everyMs: number; youngMs: number };
  reconcile: { everyMs: number; youngMs: number };
  snapshotEveryMs: number;
  notify: NotifyConfig;
  guard: GuardConfig;
  /** Where traces go; nowhere, unless it is said. */
  tracing?: TracingConfig;
  tokenTtlSeconds: number;
  sessions: { ttlSeconds: number; revokedWithinMs: number };
  /** Whose tokens are accepted besides our own. */
  provider?: ProviderOptions | undefined;
  logLevel: string;
}

const HOUR_MS = 3_600_000;
const milliseconds = (defaultMs: number, min = 1) =>
  integer({ min, max: 24 * HOUR_MS, default: defaultMs, unit: 'milliseconds' });

const schema = z.object({
  HOLDFAST_ENV: oneOf(['development', 'production'], 'development'),
  HOST: z.string().default('127.0.0.1'),
  PORT: port(3000),
  HOLDFAST_WORKER_HEALTH_PORT: port(0),
  HOLDFAST_METRICS: oneOf(['on', 'off'], 'on'),
  HOLDFAST_METRICS_HOST: z.string().default('127.0.0.1'),
  HOLDFAST_METRICS_PORT: port(0),
  HOLDFAST_SLOW_REQUEST_MS: milliseconds(1_000),
  HOLDFAST_SLOW_QUERY_MS: milliseconds(500),
  HOLDFAST_DATABASE_URLS: databaseUrls(
    'is missing: give one Postgres URL a shard, comma separated, with the role of the application.' +
      ' (`npm start` brings a Postgres of its own.)',
  ),
  HOLDFAST_OWNER_DATABASE_URLS: databaseUrls().optional(),
  HOLDFAST_REPLICA_URLS: replicaUrls().optional(),
  HOLDFAST_REPLICA_MAX_LAG_MS: milliseconds(5_000),
  HOLDFAST_TEMPORAL_UI_URL: z.url('must be the address of the Temporal Web UI, like http://localhost:8233.').optional(),
  HOLDFAST_TOKEN_KEY: secretText(),
  HOLDFAST_COMMAND_KEY: secretText(' Keep it for ever: every stored idempotency key depends on it.'),
  HOLDFAST_SEAL_KEYS: sealKeys(),
  HOLDFAST_DATA_KEYS: oneOf(['on', 'off'], 'on'),
  HOLDFAST_PAYLOAD_KEYS: sealKeys().optional(),
  HOLDFAST_ENCRYPT_PAYLOADS: oneOf(['on', 'off'], 'on'),
  HOLDFAST_BANK_URL: bankUrl(),
  HOLDFAST_BANK_API_KEY: secretText(),
  HOLDFAST_BANK_WEBHOOK_SECRETS: secretList(),
  HOLDFAST_BANK_DEADLINE_MS: milliseconds(5_000),
  HOLDFAST_LANE_DEADLINE_MS: milliseconds(5_000),
  HOLDFAST_LANE_MAX_QUEUED: integer({ min: 1, max: 1_000_000, default: 10_000 }),
  HOLDFAST_LANE_MAX_GROUP: integer({ min: 1, max: 1_000, default: 500 }),
  HOLDFAST_LANE_GROUPS_IN_FLIGHT: integer({ min: 1, max: 100, default: 8 }),
  HOLDFAST_ATTENTION_AFTER_MS: milliseconds(60_000),
  HOLDFAST_SLOW_BEAT_MS: milliseconds(60_000),
  HOLDFAST_GROUP_MAX_AGE_MS: milliseconds(600_000),
  HOLDFAST_SWEEP_EVERY_MS: milliseconds(30_000, 1_000), // Temporal's schedules count in seconds
  HOLDFAST_SWEEP_YOUNG_MS: milliseconds(15_000, 0),
  HOLDFAST_RECONCILE_EVERY_MS: milliseconds(6 * HOUR_MS, 1_000),
  HOLDFAST_RECONCILE_YOUNG_MS: milliseconds(300_000, 0),
  HOLDFAST_SNAPSHOT_EVERY_MS: milliseconds(24 * HOUR_MS, 1_000),
  HOLDFAST_BANK_POLL_FIRST_MS: milliseconds(2_000),
  HOLDFAST_BANK_POLL_MAX_MS: milliseconds(300_000),
  HOLDFAST_BANK_SETTLE_WITHIN_MS: integer({
    min: 1,
    max: 30 * 24 * HOUR_MS,
    default: 24 * HOUR_MS,
    unit: 'milliseconds',
  }),
  HOLDFAST_BANK_CALLS_PER_SECOND: integer({ min: 1, max: 100_000, default: 200 }),
  HOLDFAST_APPROVAL_WITHIN_MS: integer({ min: 1, max: 30 * 24 * HOUR_MS, default: 24 * HOUR_MS, unit: 'milliseconds' }),
  HOLDFAST_APPROVAL_FROM: amountsByCurrency('SGD:10000.00,JPY:1000000'),
  HOLDFAST_LIMITS: limitsByCurrency(),
  ...notifyVariables,
  ...oidcVariables,
  ...guardVariables,
  ...tracingVariables,
  HOLDFAST_TOKEN_TTL_SECONDS: integer({ min: 60, max: 30 * 86_400, default: 3_600, unit: 'seconds' }),
  HOLDFAST_SESSION_TTL_SECONDS: integer({ min: 300, max: 90 * 86_400, default: 7 * 86_400, unit: 'seconds' }),
  HOLDFAST_REVOKED_WITHIN_MS: integer({ min: 0, max: 10_000, default: 3_000, unit: 'milliseconds' }),
  LOG_LEVEL: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info'),
});

/** The variables this file reads; `.env.example` has to list each. */
export const CONFIG_VARIABLES = Object.keys(schema.shape);

/** Reads the configuration from the environment, or throws a ConfigError that lists every mistake in it. */
export function loadConfig(env: Env): Config {
  const given = withoutEmpty(env);
  const parsed = schema.safeParse(given);
  const problems: ConfigProblem[] = parsed.success ? [] : problemsOf(parsed.error);

  const temporal = temporalSettings(given, given.HOLDFAST_ENV === 'production', problems);
  if (parsed.success) problems.push(...contradictions(parsed.data));
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);

  const settings = parsed.data;
  const tracing = tracingConfig(settings);
  return {
    production: settings.HOLDFAST_ENV === 'production',
    http: { host: settings.HOST, port: settings.PORT },
    worker: { healthPort: settings.HOLDFAST_WORKER_HEALTH_PORT },
    metrics: {
      isOn: settings.HOLDFAST_METRICS === 'on',
      host: settings.HOLDFAST_METRICS_HOST,
      port: settings.HOLDFAST_METRICS_PORT,
      slowRequestMs: settings.HOLDFAST_SLOW_REQUEST_MS,
      slowQueryMs: settings.HOLDFAST_SLOW_QUERY_MS,
    },
    shards: shardsOf(settings),
    temporal: {
      ...temporal,
      ...(settings.HOLDFAST_TEMPORAL_UI_URL && { uiUrl: settings.HOLDFAST_TEMPORAL_UI_URL }),
    },
    secrets: {
      tokenKey: settings.HOLDFAST_TOKEN_KEY,
      commandKey: settings.HOLDFAST_COMMAND_KEY,
      sealKeys: settings.HOLDFAST_SEAL_KEYS,
      dataKeys: settings.HOLDFAST_DATA_KEYS === 'on',
      ...(settings.HOLDFAST_PAYLOAD_KEYS && {
        payloads: {
          keys: settings.HOLDFAST_PAYLOAD_KEYS,
          encrypts: settings.HOLDFAST_ENCRYPT_PAYLOADS === 'on',
        },
      }),
    },
    bank: {
      url: settings.HOLDFAST_BANK_URL,
      apiKey: settings.HOLDFAST_BANK_API_KEY,
      webhookSecrets: settings.HOLDFAST_BANK_WEBHOOK_SECRETS,
      deadlineMs: settings.HOLDFAST_BANK_DEADLINE_MS,
      callsPerSecond: settings.HOLDFAST_BANK_CALLS_PER_SECOND,
    },
    lane: {
      deadlineMs: settings.HOLDFAST_LANE_DEADLINE_MS,
      maxQueued: settings.HOLDFAST_LANE_MAX_QUEUED,
      maxGroup: settings.HOLDFAST_LANE_MAX_GROUP,
      groupsInFlight: settings.HOLDFAST_LANE_GROUPS_IN_FLIGHT,
    },
    transfers: {
      attentionAfterMs: settings.HOLDFAST_ATTENTION_AFTER_MS,
      slowBeatMs: settings.HOLDFAST_SLOW_BEAT_MS,
      groupMaxAgeMs: settings.HOLDFAST_GROUP_MAX_AGE_MS,
    },
    payments: {
      attentionAfterMs: settings.HOLDFAST_ATTENTION_AFTER_MS,
      slowBeatMs: settings.HOLDFAST_SLOW_BEAT_MS,
      pollFirstMs: settings.HOLDFAST_BANK_POLL_FIRST_MS,
      pollMaxMs: settings.HOLDFAST_BANK_POLL_MAX_MS,
      settleWithinMs: settings.HOLDFAST_BANK_SETTLE_WITHIN_MS,
      approvalWithinMs: settings.HOLDFAST_APPROVAL_WITHIN_MS,
    },
    approvalFrom: settings.HOLDFAST_APPROVAL_FROM,
    defaultLimits: settings.HOLDFAST_LIMITS,
    reconcile: {
      everyMs: settings.HOLDFAST_RECONCILE_EVERY_MS,
      youngMs: settings.HOLDFAST_RECONCILE_YOUNG_MS,
    },
    snapshotEveryMs: settings.HOLDFAST_SNAPSHOT_EVERY_MS,
    sweep: { everyMs: settings.HOLDFAST_SWEEP_EVERY_MS, youngMs: settings.HOLDFAST_SWEEP_YOUNG_MS },
    notify: notifyConfig(settings),
    guard: guardConfig(settings),
    ...(tracing && { tracing }),
    tokenTtlSeconds: settings.HOLDFAST_TOKEN_TTL_SECONDS,
    sessions: {
      ttlSeconds: settings.HOLDFAST_SESSION_TTL_SECONDS,
      revokedWithinMs: settings.HOLDFAST_REVOKED_WITHIN_MS,
    },
    provider: oidcConfig(settings),
    logLevel: settings.LOG_LEVEL,
  };
}

const databases = schema.pick({
  HOLDFAST_DATABASE_URLS: true,
  HOLDFAST_OWNER_DATABASE_URLS: true,
  HOLDFAST_REPLICA_URLS: true,
  HOLDFAST_REPLICA_MAX_LAG_MS: true,
});
type Databases = z.infer<typeof databases>;

/** For what needs the databases and nothing else, such as a migration: it is given no secret that it doesn't use. */
export function loadDatabases(env: Env): Pick<Config, 'shards'> {
  const parsed = databases.safeParse(withoutEmpty(env));
  const problems = parsed.success ? wrongDatabases(parsed.data) : problemsOf(parsed.error);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return { shards: shardsOf(parsed.data) };
}

function shardsOf(settings: Databases): Config['shards'] {
  const { HOLDFAST_OWNER_DATABASE_URLS: owners, HOLDFAST_REPLICA_URLS: replicas } = settings;
  const maxLagMs = settings.HOLDFAST_REPLICA_MAX_LAG_MS;
  return settings.HOLDFAST_DATABASE_URLS.map((url, shard) => ({
    url,
    ...(owners && { ownerUrl: owners[shard]! }),
    ...(replicas?.[shard] && { replica: { url: replicas[shard], maxLagMs } }),
  }));
}

function wrongDatabases(settings: Databases): ConfigProblem[] {
  const urls = settings.HOLDFAST_DATABASE_URLS;
  const problems: ConfigProblem[] = [];
  for (const [variable, toDo] of [
    ['HOLDFAST_OWNER_DATABASE_URLS', 'give one URL a shard, beginning with shard 0.'],
    [
      'HOLDFAST_REPLICA_URLS',
      'give one URL a shard, beginning with shard 0, and an empty place for one that has none.',
    ],
  ] as const) {
    const count = settings[variable]?.length ?? urls.length;
    if (count === urls.length) continue;
    problems.push({ variable, message: `lists ${count}, but there are ${urls.length} shards: ${toDo}` });
  }
  if (settings.HOLDFAST_REPLICA_URLS?.some((url) => urls.includes(url))) {
    const message = 'names a database of HOLDFAST_DATABASE_URLS: a replica is another server’s.';
    problems.push({ variable: 'HOLDFAST_REPLICA_URLS', message });
  }
  return problems;
}

/** What is wrong only when seen together. */
function contradictions(settings: z.infer<typeof schema>): ConfigProblem[] {
  const problems = [...notifyContradictions(settings), ...oidcContradictions(settings), ...wrongDatabases(settings)];
  if (settings.HOLDFAST_TOKEN_KEY === settings.HOLDFAST_COMMAND_KEY) {
    problems.push({
      variable: 'HOLDFAST_TOKEN_KEY',
      message: 'must differ from HOLDFAST_COMMAND_KEY: that one never rotates, this one should.',
    });
  }
  return problems;
}
