import { setTimeout as sleep } from 'node:timers/promises';
import { loadBankSettings } from './bank-settings';
import { loadConfig, type Config } from './config';
import { shardCountOf } from './embedded/data-folder';
import { newSecrets } from './embedded/secrets';
import { withFacts } from './local-env';
import { embeddedServers, loadLocalSettings, type LocalSettings } from './local-settings';
import { newerInWords, refuseTooNew, schemaOf, type Schema } from './migrate';
import { placeOf } from './place';
import { probePostgres, probeTemporal, type Health } from './probes';
import { identityAt, refuseWrongDatabase } from './shards/identity';
import { replicaInWords, requireReplica } from './shards/replica';
import { ConfigError, withoutEmpty, type ConfigProblem, type Env } from './settings';
import { UserError } from './user-error';

const PATIENCE_MS = 10_000;

/** Every mistake at once, before anything is started: what the embedded servers will supply is stood in for. */
export function checkedSettings(env: Env): LocalSettings {
  const problems = new Map<string, ConfigProblem>();
  const collect = <T>(load: () => T): T | undefined => {
    try {
      return load();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const problem of error.problems) problems.set(`${problem.variable} ${problem.message}`, problem);
      return undefined;
    }
  };
  const settings = collect(() => loadLocalSettings(env));
  const shards = settings ? shardCountOf(settings.dataDir, settings.shards) : 1;
  const standIns = { shards, secrets: newSecrets(), ports: { postgres: 1, bank: 1, temporal: 1, temporalUi: 1 } };
  const production = env.HOLDFAST_ENV === 'production';
  const embedded = embeddedServers(withoutEmpty(env));
  const complete = production ? env : withFacts(env, { embedded }, standIns);
  collect(() => loadConfig(complete));
  if (embedded.bank && !production) collect(() => loadBankSettings(complete));
  if (settings === undefined || problems.size > 0) throw new ConfigError([...problems.values()]);
  return settings;
}

/** What `api` and `worker` need before they can begin. Each failure is one sentence and what to do. */
export async function requireServers(config: Config): Promise<void> {
  await Promise.all([requireBooks(config), requireTemporal(config)]);
}

async function requireTemporal(config: Config): Promise<void> {
  const health = await patiently(() => probeTemporal(config));
  if (health.healthy) return;
  throw new UserError(
    `Temporal can't be reached at ${config.temporal.address} (namespace "${config.temporal.namespace}").`,
    'Check that it runs and that the namespace exists, and TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and TLS or API-key' +
      ' settings; or leave TEMPORAL_ADDRESS out, and `holdfast up` starts a Temporal of its own.',
  );
}

/** One shard that is down makes only its own users wait; but somebody has to be served. */
async function requireBooks(config: Config): Promise<void> {
  const found = await Promise.all(
    config.shards.map(async ({ url }, shard) => ({ shard, url, health: await patiently(() => probePostgres(url)) })),
  );
  for (const { shard, url, health } of found) {
    if (!health.healthy) console.error(`Shard ${shard} can't be reached at ${placeOf(url)}: ${health.reason}`);
    else {
      const newer = await requireShard({ shard, shardCount: config.shards.length, url });
      if (newer.length > 0) console.error(`Shard ${shard} ${newerInWords(newer)}`);
    }
  }
  if (found.every(({ health }) => !health.healthy)) {
    throw new UserError(
      `Postgres can't be reached at ${found.map(({ url }) => placeOf(url)).join(', ')}.`,
      'Check that it runs, and HOLDFAST_DATABASE_URLS; or leave that out, and `holdfast up` starts a Postgres of its own.',
    );
  }
  await Promise.all(config.shards.map((each, shard) => requireReplicaOf(each, { shard, shardCount: found.length })));
}

/** Nothing waits for a replica: one that can't be used now is used when it can. */
async function requireReplicaOf(
  { url, replica }: Config['shards'][number],
  { shard, shardCount }: { shard: number; shardCount: number },
): Promise<void> {
  if (!replica) return;
  const health = await requireReplica({ shard, shardCount, url, replica });
  if (health.state === 'near') return;
  console.error(`The replica of shard ${shard} at ${placeOf(replica.url)} ${replicaInWords(health)}: not used for now`);
}

/** That this is the shard's database, in use, and one this code can run on. Answers the migrations it has beyond that. */
export async function requireShard(of: { shard: number; shardCount: number; url: string }): Promise<string[]> {
  const schema = await schemaOf(of.url);
  refuseOlder(of.shard, schema);
  refuseTooNew(of.shard, schema);
  refuseWrongDatabase(of, await identityAt(of.url));
  return schema.unknown;
}

function refuseOlder(shard: number, { pending }: Schema): void {
  if (pending.length === 0) return;
  throw new UserError(
    `The database of shard ${shard} is older than this Holdfast: it lacks ${pending.join(', ')}.`,
    'Run `npx holdfast migrate` (it needs HOLDFAST_OWNER_DATABASE_URLS).',
  );
}

/** Servers that start at the same moment, as in a compose file, get a little time. */
async function patiently(probe: () => Promise<Health>): Promise<Health> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const health = await probe();
    if (health.healthy || Date.now() > giveUpAt) return health;
    await sleep(250);
  }
}
