import { dataFolder, readInstance, type DataFolder } from './embedded/data-folder';
import { APP_ROLE, OWNER_ROLE } from './embedded/postgres';
import { readSecrets, type Secrets } from './embedded/secrets';
import { loadLocalSettings, type LocalSettings } from './local-settings';
import { withoutEmpty, type Env } from './settings';
import { readState } from './state';

/** What is known only once the embedded servers run, or about to run. */
export interface LocalFacts {
  shards: number;
  secrets: Secrets;
  ports: { postgres: number; temporal: number; temporalUi: number };
}

/** The ports on which `up` lets our own processes listen. They overrule the variables, which may say 0: pick one. */
export function withOwnPorts(env: Env, ports: { api: number; worker: number }): Env {
  return { ...env, PORT: String(ports.api), HOLDFAST_WORKER_HEALTH_PORT: String(ports.worker) };
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
    ...(embedded.temporal && {
      TEMPORAL_ADDRESS: `127.0.0.1:${ports.temporal}`,
      HOLDFAST_TEMPORAL_UI_URL: `http://localhost:${ports.temporalUi}`,
    }),
    ...withoutEmpty(env),
  };
}

export const shardDatabases = (count: number) => Array.from({ length: count }, (_, shard) => `holdfast_${shard}`);

/** An instance that runs may have picked its ports itself; otherwise the variables and their defaults say them. */
function knownPorts(settings: LocalSettings, folder: DataFolder): LocalFacts['ports'] {
  return { ...settings.ports, ...readState(folder.state)?.ports };
}
