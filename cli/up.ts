import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { printBanner } from './banner';
import { loadConfig, type Config } from './config';
import { dataFolder, makeFolder, openInstance, type DataFolder } from './embedded/data-folder';
import { forgetChild, guardChild } from './embedded/guard';
import { takeLock } from './embedded/lock';
import { lastLines, rotateLog } from './embedded/logs';
import { freePort, requireFreePort } from './embedded/ports';
import { startPostgres } from './embedded/postgres';
import { ensureBankDatabase, ensureDatabase, ensureRoles } from './embedded/postgres-databases';
import { describeExit, exitOf, identify, stopProcess } from './embedded/processes';
import { ensureSecrets, type Secrets } from './embedded/secrets';
import { startTemporal } from './embedded/temporal';
import { findTemporal } from './embedded/temporal-cli';
import { shardDatabases, withFacts, withOwnPorts, type LocalFacts } from './local-env';
import type { LocalSettings } from './local-settings';
import { migrate } from './migrate';
import { waitUntilHealthy, type OurProcess } from './probes';
import { checkedSettings, requireServers } from './preflight';
import type { Env } from './settings';
import { forgetState, leftOver, PROCESS_NAMES, readState, writeState, type ProcessName, type State } from './state';
import { Supervisor, type Running } from './supervisor';
import { UserError } from './user-error';

const say = (line: string) => console.log(line);
const STOP_ORDER: readonly ProcessName[] = ['api', 'worker', 'bank', 'temporal', 'postgres'];
/** Long enough for the API to finish what it accepted. */
const STOPPING = [{ signal: 'SIGTERM', waitMs: 10_000 }] as const;
const FORCE_AFTER_MS = 3_000;

type UpFacts = LocalFacts & { secrets: Secrets; ports: { api: number; worker: number; metrics: number } };

/** Runs everything on one machine, until a signal stops it. Resolves with the exit code. */
export async function up(env: Env): Promise<number> {
  const settings = checkedSettings(env);
  makeFolder(settings.dataDir);
  const folder = dataFolder(settings.dataDir);
  const lock = takeLock(folder.lock, folder.path);
  try {
    await clearUp(folder);
    return await runInstance(env, settings, folder);
  } finally {
    forgetState(folder.state);
    lock.release();
  }
}

/** An earlier `up` that was killed could not stop its children. They hold our ports and files, so they end now. */
async function clearUp(folder: DataFolder): Promise<void> {
  const state = readState(folder.state);
  if (state === undefined) return;
  for (const { name, identity } of leftOver(state)) {
    say(`Stopping ${name} (pid ${identity.pid}), left by an earlier run that ended abruptly`);
    await stopProcess(identity, [{ signal: name === 'postgres' ? 'SIGINT' : 'SIGTERM', waitMs: 10_000 }]);
  }
}

async function runInstance(env: Env, settings: LocalSettings, folder: DataFolder): Promise<number> {
  const facts = await gatherFacts(env, settings, folder);
  const state: State = { up: identify(process.pid), ports: portsInUse(settings, facts), processes: {} };
  writeState(folder.state, state);
  const supervisor = new Supervisor<ProcessName>({
    say,
    onChange: (processes) => writeState(folder.state, { ...state, processes }),
  });
  const stop = stopOnSignal(supervisor);
  const fullEnv = withOwnPorts(withFacts(env, settings, facts), facts.ports);
  try {
    await Promise.race([startAll(fullEnv, settings, folder, facts, supervisor), stop.stopped]);
  } catch (error) {
    // After a signal, whatever the start-up was in the middle of may fail: that is no news.
    if (!stop.isUnderWay()) {
      await supervisor.stop(STOP_ORDER);
      throw error;
    }
  }
  return stop.stopped;
}

async function gatherFacts(env: Env, settings: LocalSettings, folder: DataFolder): Promise<UpFacts> {
  for (const name of PROCESS_NAMES) rotateLog(folder.log(name));
  const pick = async (port: number) => (port === 0 ? freePort() : port);
  const ports = {
    postgres: await pick(settings.ports.postgres),
    temporal: await pick(settings.ports.temporal),
    temporalUi: await pick(settings.ports.temporalUi),
    bank: await pick(settings.ports.bank),
    api: await pick(settings.ports.api),
    worker: await freePort(),
    metrics: await pick(settings.ports.metrics),
  };
  // All of them now, before anything slow: the person is still looking.
  await requireFreePort({ port: ports.api, what: 'the API', variable: 'PORT', host: env.HOST || undefined });
  if (settings.embedded.bank) {
    await requireFreePort({ port: ports.bank, what: 'the bank simulator', variable: 'HOLDFAST_BANK_PORT' });
  }
  if (settings.embedded.temporal) {
    await requireFreePort({ port: ports.temporal, what: 'Temporal', variable: 'HOLDFAST_TEMPORAL_PORT' });
    const ui = { port: ports.temporalUi, what: 'the Temporal Web UI', variable: 'HOLDFAST_TEMPORAL_UI_PORT' };
    await requireFreePort(ui);
  }
  if (settings.embedded.postgres) {
    await requireFreePort({ port: ports.postgres, what: 'Postgres', variable: 'HOLDFAST_POSTGRES_PORT' });
  }
  const secrets = ensureSecrets(folder);
  return { shards: openInstance(folder, settings.shards).shards, secrets, ports };
}

function portsInUse({ embedded }: LocalSettings, { ports }: UpFacts): State['ports'] {
  return {
    ...(embedded.postgres && { postgres: ports.postgres }),
    ...(embedded.temporal && { temporal: ports.temporal, temporalUi: ports.temporalUi }),
    ...(embedded.bank && { bank: ports.bank }),
    api: ports.api,
    worker: ports.worker,
    metrics: ports.metrics,
  };
}

async function startAll(
  env: Env,
  settings: LocalSettings,
  folder: DataFolder,
  facts: UpFacts,
  supervisor: Supervisor<ProcessName>,
): Promise<void> {
  const config = loadConfig(env);
  const books = async () => {
    if (settings.embedded.postgres) await startBooks(folder, facts, supervisor);
    if (!config.production && config.shards.every((shard) => shard.ownerUrl)) await migrate(config, say);
  };
  const engine = async () => {
    if (!settings.embedded.temporal) return;
    await findTemporal(say); // may take minutes, once; so it isn't part of what is supervised
    say('Starting Temporal');
    const { namespace } = config.temporal;
    const { temporal: port, temporalUi: uiPort } = facts.ports;
    const options = { dbFile: folder.temporalDb, port, uiPort, namespace, logFile: folder.log('temporal'), say };
    await supervisor.start({ name: 'temporal', start: () => startTemporal(options) });
  };
  await Promise.all([books(), engine()]);
  await requireServers(config);

  if (!config.production) {
    const { seed } = await import('./seed.js');
    await seed(config);
  }
  if (settings.embedded.bank) {
    say('Starting the bank simulator');
    await startOurs('bank', env, config, folder, supervisor);
  }
  say('Starting the API and a worker');
  await Promise.all((['api', 'worker'] as const).map((name) => startOurs(name, env, config, folder, supervisor)));
  await printBanner(config, folder, settings.embedded);
}

async function startBooks(folder: DataFolder, facts: UpFacts, supervisor: Supervisor<ProcessName>): Promise<void> {
  say('Starting Postgres');
  const postgres = await supervisor.start({
    name: 'postgres',
    start: () =>
      startPostgres({
        dataDir: folder.cluster,
        port: facts.ports.postgres,
        passwords: facts.secrets.postgres,
        logFile: folder.log('postgres'),
        reachableCopies: folder.reachableCopies,
        say,
      }),
  });
  const adminUrl = postgres.adminUrl('postgres');
  await ensureRoles(adminUrl, facts.secrets.postgres);
  for (const database of shardDatabases(facts.shards)) await ensureDatabase(adminUrl, database);
  await ensureBankDatabase(adminUrl, facts.secrets.bank.database);
}

async function startOurs(
  name: OurProcess,
  env: Env,
  config: Config,
  folder: DataFolder,
  supervisor: Supervisor<ProcessName>,
): Promise<void> {
  const logFile = folder.log(name);
  const running = await supervisor.start({ name, logFile, start: async () => spawnOurs(name, env, folder) });
  const died = running.exited.then((exit) => {
    throw new UserError(
      `The ${name} did not start (${describeExit(exit)}):\n${lastLines(logFile, 8)}`,
      `The whole log is ${logFile}.`,
    );
  });
  await Promise.race([waitUntilHealthy(name, config), died]);
  died.catch(() => {}); // a later death is the supervisor's to handle
}

function spawnOurs(name: OurProcess, env: Env, folder: DataFolder): Running {
  const log = openSync(folder.log(name), 'a');
  // The folder is there for people who look at the process list.
  const child = spawn(process.execPath, [path.join(__dirname, 'main.js'), name, '--beside', folder.path], {
    env,
    detached: true, // Ctrl-C reaches only us, and we stop things in order
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const exited = exitOf(child);
  const { pid } = child;
  if (pid === undefined) throw new Error(`Node could not be started (${process.execPath})`);
  guardChild(pid, 'SIGTERM');
  void exited.then(() => forgetChild(pid));
  const identity = identify(pid);
  return { pid, exited, stop: () => stopProcess(identity, STOPPING) };
}

/** Ctrl-C may reach us several times at once, by the terminal and by npm; only one much later means impatience. */
function stopOnSignal(supervisor: Supervisor<ProcessName>): { stopped: Promise<number>; isUnderWay(): boolean } {
  let since: number | undefined;
  const stopped = new Promise<number>((resolve) => {
    const stop = () => {
      if (since !== undefined) {
        if (Date.now() - since > FORCE_AFTER_MS) process.exit(130); // the guard ends what still runs
        return;
      }
      since = Date.now();
      say('\nStopping');
      void supervisor.stop(STOP_ORDER).then(() => {
        say('Stopped');
        resolve(0);
      });
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
    process.stdout.on('error', () => {}); // a closed terminal must not keep us from stopping
  });
  return { stopped, isUnderWay: () => since !== undefined };
}
