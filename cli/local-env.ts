import { dataFolder, readInstance, type DataFolder } from './embedded/data-folder';
import { APP_ROLE, BANK_DATABASE, BANK_ROLE, OWNER_ROLE } from './embedded/postgres';
import { readSecrets, type BankSecrets, type StoredSecrets } from './embedded/secrets';
import { loadLocalSettings, type LocalSettings } from './local-settings';
import { withoutEmpty, type Env } from './settings';
import { readState } from './state';

/** What is known only once the embedded servers run, or about to run. */
export interface LocalFacts {
  shards: number;
  secrets: StoredSecrets;
  ports: { postgres: number; bank: number; temporal: number; temporalUi: number };
}

/** The ports on which `up` lets our own processes listen. They overrule the variables, which may say 0: pick one. */
export function withOwnPorts(env: Env, ports: { api: number; worker: number; metrics: number; bank?: number }): Env {
  return {
    ...env,
    PORT: String(ports.api),
    HOLDFAST_WORKER_HEALTH_PORT: String(ports.worker),
    HOLDFAST_METRICS_PORT: String(ports.metrics),
    ...(ports.bank !== undefined && { HOLDFAST_BANK_PORT: String(ports.bank) }),
  };
}

/**
 * The environment of `api`, `worker` and the other commands beside an instance of `holdfast up`: what is set stays, and
 * what isn't comes from its data folder. In production nothing does.
 */
export function localEnv(env: Env): Env {
  if (env.HOLDFAST_ENV === 'production') return env;
  const settings = loadLocalSettings(env);
  const folder = dataFolder(settings.dataDir);
  const secrets = readSecrets(folder);
  if (secrets === undefined) return env;
  const shards = readInstance(settings.dataDir)?.shards ?? 1;
  return withFacts(env, settings, { shards, secrets, ports: knownPorts(settings, folder) });
}

export function withFacts(env: Env, { embedded }: Pick<LocalSettings, 'embedded'>, facts: LocalFacts): Env {
  const { secrets, ports } = facts;
  const url = (role: string, password: string) =>
    shardDatabases(facts.shards)
      .map((database) => `postgres://${role}:${password}@127.0.0.1:${ports.postgres}/${database}`)
      .join(',');
  return {
    HOLDFAST_TOKEN_KEY: secrets.tokenKey,
    HOLDFAST_COMMAND_KEY: secrets.commandKey,
    HOLDFAST_SEAL_KEYS: secrets.sealKeys,
    ...(embedded.postgres && {
      HOLDFAST_DATABASE_URLS: url(APP_ROLE, secrets.postgres.app),
      HOLDFAST_OWNER_DATABASE_URLS: url(OWNER_ROLE, secrets.postgres.owner),
    }),
    ...(embedded.bank && secrets.bank && bankEnv(secrets.bank, embedded.postgres, ports)),
    ...(embedded.temporal && {
      TEMPORAL_ADDRESS: `127.0.0.1:${ports.temporal}`,
      HOLDFAST_TEMPORAL_UI_URL: `http://localhost:${ports.temporalUi}`,
    }),
    ...withoutEmpty(env),
  };
}

/** A real bank, named by HOLDFAST_BANK_URL, has its own key and secrets: ours must not be taken for them. */
function bankEnv(secrets: BankSecrets, embeddedPostgres: boolean, ports: LocalFacts['ports']): Env {
  const database = `postgres://${BANK_ROLE}:${secrets.database}@127.0.0.1:${ports.postgres}/${BANK_DATABASE}`;
  return {
    HOLDFAST_BANK_URL: `http://127.0.0.1:${ports.bank}`,
    HOLDFAST_BANK_API_KEY: secrets.apiKey,
    HOLDFAST_BANK_WEBHOOK_SECRETS: secrets.webhookSecret,
    ...(embeddedPostgres && { HOLDFAST_BANK_DATABASE_URL: database }),
  };
}

export const shardDatabases = (count: number) => Array.from({ length: count }, (_, shard) => `holdfast_${shard}`);

/** An instance that runs may have picked its ports itself; otherwise the variables and their defaults say them. */
function knownPorts(settings: LocalSettings, folder: DataFolder): LocalFacts['ports'] {
  return { ...settings.ports, ...readState(folder.state)?.ports };
}
