import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { loadConfig, type Config } from '../cli/config';
import { dataFolder, makeFolder, type DataFolder } from '../cli/embedded/data-folder';
import { guardChild } from '../cli/embedded/guard';
import { lastLines } from '../cli/embedded/logs';
import { packageRoot } from '../cli/embedded/package-root';
import { freePort } from '../cli/embedded/ports';
import { startPostgres, type RunningPostgres } from '../cli/embedded/postgres';
import { ensureDatabase, ensureRoles } from '../cli/embedded/postgres-databases';
import { exitOf, identify, stopProcess } from '../cli/embedded/processes';
import { newSecrets } from '../cli/embedded/secrets';
import { startTemporal, type RunningTemporal } from '../cli/embedded/temporal';
import { withFacts } from '../cli/local-env';
import { loadLocalSettings } from '../cli/local-settings';
import { waitUntilHealthy } from '../cli/probes';
import type { Env } from '../cli/settings';
import { migrateShard } from '../migrations';
import { APP_ROLE } from '../cli/embedded/postgres';

const BANK_DATABASE = 'bank';
const STOPPING = [{ signal: 'SIGTERM', waitMs: 15_000 }] as const;

export interface ProcessOptions {
  namespace?: string;
  /** Settings that are its own. */
  env?: Record<string, string>;
  /** For Node itself, such as its profiler's. */
  nodeOptions?: string[];
}

export interface OurProcess {
  port: number;
  pid: number;
  config: Config;
  stop(): Promise<void>;
}

/**
 * Postgres, Temporal, and as many of our own processes as a measurement wants, on free ports and a data folder of their
 * own, with the settings that `npm start` gives them. The folder is on the same disk as the clone, since what is measured
 * includes its fsync.
 */
export class Stack {
  private readonly ours: OurProcess[] = [];

  private constructor(
    readonly folder: DataFolder,
    private readonly secrets: ReturnType<typeof newSecrets>,
    readonly postgres: RunningPostgres,
    readonly temporal: RunningTemporal,
    /** Known before there is a bank, and kept by one that is started again. */
    private readonly bankPort: number,
  ) {}

  static async start(say: (line: string) => void): Promise<Stack> {
    const home = path.join(packageRoot(), '.holdfast');
    const folder = dataFolder(path.join(home, `bench-${process.pid}`));
    mkdirSync(home, { recursive: true });
    makeFolder(folder.path);
    const secrets = newSecrets();
    say('Starting Postgres and Temporal');
    const [postgres, temporal] = await Promise.allSettled([
      startPostgres({
        dataDir: folder.cluster,
        port: 0,
        passwords: secrets.postgres,
        logFile: folder.log('postgres'),
        reachableCopies: dataFolder(home).reachableCopies,
      }),
      startTemporal({ dbFile: folder.temporalDb, port: 0, logFile: folder.log('temporal'), say }),
    ]);
    if (postgres.status === 'fulfilled' && temporal.status === 'fulfilled') {
      const stack = new Stack(folder, secrets, postgres.value, temporal.value, await freePort());
      await ensureRoles(stack.adminUrl, secrets.postgres);
      await ensureDatabase(stack.adminUrl, BANK_DATABASE);
      return stack;
    }
    for (const each of [postgres, temporal]) if (each.status === 'fulfilled') await each.value.stop();
    removeFolder(folder);
    throw postgres.status === 'rejected' ? postgres.reason : (temporal as PromiseRejectedResult).reason;
  }

  get adminUrl(): string {
    return this.postgres.adminUrl('postgres');
  }

  /** A database with Holdfast's tables, as the only shard unless said otherwise. */
  async books(database: string, shard = 0, shardCount = 1): Promise<string> {
    await ensureDatabase(this.adminUrl, database);
    const ownerUrl = this.postgres.ownerUrl(database);
    await migrateShard({ ownerUrl, appRole: APP_ROLE, shard, shardCount });
    return this.postgres.appUrl(database);
  }

  /** Where processes with other books have their workflows to themselves. */
  async namespace(namespace: string): Promise<string> {
    const connection = await Connection.connect({ address: this.temporal.address });
    const { workflowService } = connection;
    const workflowExecutionRetentionPeriod = msToTs('1 day');
    await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
    // The server's front door learns of it a moment later.
    const isKnown = () =>
      workflowService.describeNamespace({ namespace }).then(
        () => true,
        () => false,
      );
    while (!(await isKnown())) await sleep(100);
    await connection.close();
    return namespace;
  }

  /** The configuration of a process that serves these books, a URL a shard, on this port. */
  configFor(urls: string[], options: ProcessOptions & { port?: number } = {}): { env: Env; config: Config } {
    const { port = 1, namespace = 'default', env: more } = options;
    const own = Object.entries(process.env).filter(
      ([name]) => !/^(HOLDFAST_(?!LANE_)|TEMPORAL_|OTEL_|PORT$|HOST$)/.test(name),
    );
    const given = {
      ...Object.fromEntries(own),
      HOLDFAST_DATABASE_URLS: urls.join(','),
      TEMPORAL_NAMESPACE: namespace,
      PORT: String(port),
      HOLDFAST_WORKER_HEALTH_PORT: String(port),
      // A run may take longer than tokens usually live.
      HOLDFAST_TOKEN_TTL_SECONDS: '86400',
      // A few clients stand for very many.
      HOLDFAST_RATE_LIMITS: 'none',
      ...more,
    };
    const settings = loadLocalSettings({});
    const { postgres, temporal, bankPort: bank } = this;
    const ports = { ...settings.ports, postgres: postgres.port, temporal: temporal.port, bank };
    const env = withFacts(
      given,
      { ...settings, embedded: { postgres: false, temporal: true, bank: true } },
      { shards: urls.length, secrets: this.secrets, ports },
    );
    return { env, config: loadConfig(env) };
  }

  async run(name: 'api' | 'worker', urls: string[], options: ProcessOptions = {}): Promise<OurProcess> {
    const port = await freePort();
    const env = { HOLDFAST_METRICS_PORT: String(await freePort()), ...options.env };
    const settings = this.configFor(urls, { ...options, port, env });
    return this.start(name, port, settings, options.nodeOptions ?? []);
  }

  /** The bank simulator, which tells this API by webhook what it does. Another is started once the one before has stopped. */
  runBank(api: OurProcess, settleAfterMs: number): Promise<OurProcess> {
    const { env, config } = this.configFor([api.config.shards[0]!.url], { port: api.port });
    const bankEnv = {
      ...env,
      HOLDFAST_BANK_PORT: String(this.bankPort),
      HOLDFAST_BANK_DATABASE_URL: this.postgres.ownerUrl(BANK_DATABASE),
      HOLDFAST_BANK_SETTLE_AFTER_MS: String(settleAfterMs),
    };
    return this.start('bank', this.bankPort, { env: bankEnv, config }, []);
  }

  private async start(
    name: 'api' | 'worker' | 'bank',
    port: number,
    { env, config }: { env: Env; config: Config },
    nodeOptions: string[],
  ): Promise<OurProcess> {
    const logFile = this.folder.log(`${name}-${port}`);
    const child = spawnOurs(name, { env, logFile, nodeOptions });
    const identity = identify(child.pid!);
    const process = { port, pid: child.pid!, config, stop: () => stopProcess(identity, STOPPING) };
    this.ours.push(process);
    const died = exitOf(child).then(() => {
      throw new Error(`The ${name} ended:\n${lastLines(logFile, 8)}`);
    });
    await Promise.race([waitUntilHealthy(name, config), died]);
    died.catch(() => {}); // a later death shows as errors of the load
    return process;
  }

  async stop(): Promise<void> {
    await Promise.all(this.ours.map((each) => each.stop()));
    await Promise.all([this.temporal.stop(), this.postgres.stop()]);
    removeFolder(this.folder);
  }
}

function spawnOurs(
  name: string,
  { env, logFile, nodeOptions }: { env: Env; logFile: string; nodeOptions: string[] },
): ChildProcess {
  const log = openSync(logFile, 'a');
  const main = path.join(packageRoot(), 'dist/cli/main.js');
  const child = spawn(process.execPath, [...nodeOptions, main, name], {
    env: { ...env, HOLDFAST_ENV_FILE: '/dev/null' },
    detached: true, // a Ctrl-C reaches only us, and we stop things in order
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  if (child.pid === undefined) throw new Error(`Node could not be started (${process.execPath})`);
  guardChild(child.pid, 'SIGTERM');
  return child;
}

function removeFolder(folder: DataFolder): void {
  for (const each of [folder.cluster, folder.path]) rmSync(each, { recursive: true, force: true });
}
