import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { UserError } from '../user-error';
import { forgetChild, guardChild } from './guard';
import { freePort, requireFreePort } from './ports';
import { findPostgres, type PostgresBinaries } from './postgres-binaries';
import { commandLine, describeExit, exitOf, identify, stopProcess, type Exit } from './processes';
import { canReach, postgresUser, type RunAs } from './system-user';
import { lastLines } from './logs';

export interface PostgresOptions {
  /** The cluster's folder; made by initdb when it isn't there. */
  dataDir: string;
  /** 0 picks a free one. */
  port: number;
  passwords: PostgresPasswords;
  logFile: string;
  /** Where binaries are copied when the user that runs Postgres can't reach the clone. */
  reachableCopies: string;
  /** False gives up safety against a crash of the machine (not of the process), for tests. */
  durable?: boolean;
  /** Is told about what takes long. */
  say?: (line: string) => void;
}

export interface PostgresPasswords {
  admin: string;
  owner: string;
  app: string;
}

export interface RunningPostgres {
  port: number;
  pid: number;
  exited: Promise<Exit>;
  adminUrl(database: string): string;
  ownerUrl(database: string): string;
  appUrl(database: string): string;
  stop(): Promise<void>;
}

export const ADMIN_ROLE = 'holdfast_admin';
export const OWNER_ROLE = 'holdfast_owner';
export const APP_ROLE = 'holdfast_app';
/** The bank simulator's: it has no business in the books, nor they in its own. */
export const BANK_ROLE = 'holdfast_bank';
export const BANK_DATABASE = 'holdfast_bank';

const STARTING_MS = 120_000; // recovery after a crash reads up to max_wal_size of log
/** SIGINT is Postgres's fast shutdown: it ends sessions and writes a checkpoint. SIGQUIT leaves that to recovery. */
const STOPPING = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 3_000 },
] as const;

function settings(port: number, durable: boolean): Record<string, string> {
  return {
    port: String(port),
    listen_addresses: '127.0.0.1',
    wal_level: 'logical', // what `holdfast shards move` replicates by; to change it later takes a restart
    unix_socket_directories: '', // a socket in /tmp could clash with another instance's
    max_connections: '200',
    shared_buffers: '256MB',
    // Checkpoints cost a full page image for every page touched after them: rare ones keep posting even. The price is a
    // longer recovery after a crash, of seconds.
    max_wal_size: '4GB',
    checkpoint_timeout: '10min',
    // With rare checkpoints page images are few, so compressing them would spend our scarce processor time to save disk.
    wal_compression: 'off',
    // Our statements are many and small: compiling one costs more than running it.
    jit: 'off',
    // What was answered is on disk. These are Postgres's defaults, said aloud because the promise rests on them.
    fsync: durable ? 'on' : 'off',
    full_page_writes: durable ? 'on' : 'off',
    synchronous_commit: 'on',
    log_line_prefix: '%m [%p] %a ',
    log_timezone: 'UTC',
    timezone: 'UTC',
  };
}

export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const user = postgresUser();
  if (!canReach(options.dataDir, user)) {
    throw new UserError(
      `Postgres runs as the user "postgres" here, which can't reach ${options.dataDir}.`,
      'A folder above it lets nobody else in. Give it o+x, or `npm run reset` and start again.',
    );
  }
  const binaries = findPostgres(user, options.reachableCopies);
  if (!existsSync(path.join(options.dataDir, 'PG_VERSION'))) await initialise(binaries, options, user);
  await stopLeftOver(options.dataDir);

  const port = options.port === 0 ? await freePort() : options.port;
  await requireFreePort({ port, what: 'Postgres', variable: 'HOLDFAST_POSTGRES_PORT' });

  const flags = Object.entries(settings(port, options.durable ?? true)).flatMap(([k, v]) => ['-c', `${k}=${v}`]);
  const log = openSync(options.logFile, 'a');
  const child = spawn(binaries.postgres, ['-D', options.dataDir, ...flags], {
    ...user,
    cwd: '/',
    detached: true, // Ctrl-C reaches only the supervisor, which stops things in order
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const exited = exitOf(child);
  const pid = child.pid;
  if (pid === undefined) throw new UserError(`Postgres could not be started: ${binaries.postgres}.`);
  guardChild(pid, 'SIGINT');
  const identity = identify(pid);
  void exited.then(() => forgetChild(pid));

  const url = (role: string, password: string) => (database: string) =>
    `postgres://${role}:${password}@127.0.0.1:${port}/${database}`;
  const running: RunningPostgres = {
    port,
    pid,
    exited,
    adminUrl: url(ADMIN_ROLE, options.passwords.admin),
    ownerUrl: url(OWNER_ROLE, options.passwords.owner),
    appUrl: url(APP_ROLE, options.passwords.app),
    stop: () => stopProcess(identity, STOPPING),
  };
  try {
    await waitUntilReady(running.adminUrl('postgres'), exited, options);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

async function initialise(
  binaries: PostgresBinaries,
  options: PostgresOptions,
  user: RunAs | undefined,
): Promise<void> {
  options.say?.('Making the Postgres cluster (once; a few seconds)');
  // Made under another name and then renamed: an initdb that was cut short must not pass for a cluster.
  const unfinished = `${options.dataDir}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true, mode: 0o700 });
  const passwordFile = path.join(path.dirname(options.dataDir), `.password-${randomBytes(6).toString('hex')}`);
  writeFileSync(passwordFile, options.passwords.admin, { mode: 0o600 });
  if (user) for (const file of [unfinished, passwordFile]) chownSync(file, user.uid, user.gid);
  const log = openSync(options.logFile, 'a');
  try {
    const child = spawn(
      binaries.initdb,
      [
        ...['-D', unfinished, '-U', ADMIN_ROLE, '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
        // Built into Postgres, so that an upgrade of the system can't change the order of an index.
        ...['--encoding', 'UTF8', '--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
        ...['--data-checksums', ...(options.durable === false ? ['--no-sync'] : [])],
      ],
      { ...user, cwd: '/', stdio: ['ignore', log, log] },
    );
    const exit = await exitOf(child);
    if (exit.code !== 0) {
      throw new UserError(
        `Postgres's initdb failed (${describeExit(exit)}):\n${lastLines(options.logFile, 5)}`,
        `The whole log is ${options.logFile}.`,
      );
    }
    renameSync(unfinished, options.dataDir);
  } finally {
    closeSync(log);
    rmSync(passwordFile, { force: true });
  }
}

/** A postmaster whose starter was killed still holds the cluster: it is stopped. A stale pid file is removed. */
async function stopLeftOver(dataDir: string): Promise<void> {
  const file = path.join(dataDir, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (Number.isInteger(pid) && commandLine(pid).includes(dataDir)) await stopProcess(identify(pid), STOPPING);
  else rmSync(file, { force: true });
}

async function waitUntilReady(url: string, exited: Promise<Exit>, options: PostgresOptions): Promise<void> {
  const giveUpAt = Date.now() + STARTING_MS;
  let exit: Exit | undefined;
  void exited.then((how) => (exit = how));
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      return;
    } catch (error) {
      if (exit !== undefined || Date.now() > giveUpAt) {
        const how = exit === undefined ? `is not ready after ${STARTING_MS / 1000} s` : `ended: ${describeExit(exit)}`;
        throw new UserError(
          `Postgres did not start (${how}):\n${lastLines(options.logFile, 5)}`,
          `The whole log is ${options.logFile}.`,
        );
      }
      // 28P01: the cluster was made with other passwords than those we have; waiting won't help.
      if ((error as { code?: string }).code === '28P01') {
        throw new UserError(
          `The Postgres cluster in ${options.dataDir} does not know our password.`,
          'Its secrets.json was lost or replaced: put it back, or `npm run reset` and start again.',
        );
      }
    } finally {
      await client.end().catch(() => {});
    }
    await sleep(50);
  }
}
