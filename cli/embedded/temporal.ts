import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../user-error';
import { forgetChild, guardChild } from './guard';
import { lastLines } from './logs';
import { freePort, requireFreePort } from './ports';
import { describeExit, exitOf, identify, stopProcess, type Exit } from './processes';
import { answers, SEARCH_ATTRIBUTES } from './temporal-client';
import { findTemporal } from './temporal-cli';

export interface TemporalOptions {
  /** SQLite file that keeps everything; in memory without one. */
  dbFile?: string;
  /** 0 picks a free one. */
  port: number;
  /** 0 picks a free one; no Web UI without one. */
  uiPort?: number;
  namespace?: string;
  /** Besides what deploy/temporal/dynamicconfig.yaml has. */
  dynamicConfig?: Record<string, number | string>;
  logFile: string;
  say?: (line: string) => void;
}

export interface RunningTemporal {
  address: string;
  port: number;
  uiUrl?: string;
  uiPort?: number;
  pid: number;
  exited: Promise<Exit>;
  stop(): Promise<void>;
}

const STARTING_MS = 60_000;
const STOPPING = [{ signal: 'SIGTERM', waitMs: 5_000 }] as const;

export async function startTemporal(options: TemporalOptions): Promise<RunningTemporal> {
  const program = await findTemporal(options.say);
  const port = options.port === 0 ? await freePort() : options.port;
  const uiPort = options.uiPort === 0 ? await freePort() : options.uiPort;
  await requireFreePort({ port, what: 'Temporal', variable: 'HOLDFAST_TEMPORAL_PORT' });
  if (uiPort !== undefined) {
    await requireFreePort({ port: uiPort, what: 'the Temporal Web UI', variable: 'HOLDFAST_TEMPORAL_UI_PORT' });
  }

  const log = openSync(options.logFile, 'a');
  const child = spawn(program, serverArguments({ ...options, port, uiPort }), {
    detached: true, // Ctrl-C reaches only the supervisor, which stops things in order
    stdio: ['ignore', log, log],
    // The person's own settings for the CLI are about other servers than this one.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'))),
  });
  closeSync(log);
  const exited = exitOf(child);
  const pid = child.pid;
  if (pid === undefined) throw new UserError(`Temporal could not be started: ${program}.`);
  guardChild(pid, 'SIGTERM');
  const identity = identify(pid);
  void exited.then(() => forgetChild(pid));

  const running: RunningTemporal = {
    address: `127.0.0.1:${port}`,
    port,
    ...(uiPort === undefined ? {} : { uiPort, uiUrl: `http://localhost:${uiPort}` }),
    pid,
    exited,
    stop: () => stopProcess(identity, STOPPING),
  };
  try {
    await waitUntilReady(running, options);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

function serverArguments(options: TemporalOptions): string[] {
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(options.port)];
  args.push('--log-level', 'warn', '--log-format', 'json');
  // As deploy/temporal/dynamicconfig.yaml has it.
  const dynamicConfig = { 'system.enableActivityEagerExecution': true, ...options.dynamicConfig };
  for (const [name, value] of Object.entries(dynamicConfig)) {
    args.push('--dynamic-config-value', `${name}=${JSON.stringify(value)}`);
  }
  if (options.uiPort === undefined) args.push('--headless');
  else args.push('--ui-port', String(options.uiPort));
  if (options.namespace !== undefined) args.push('--namespace', options.namespace);
  for (const name of SEARCH_ATTRIBUTES) args.push('--search-attribute', `${name}=Keyword`);
  // What these two promise, and why that is enough: docs/decisions/0002-temporal-dev-server-on-file.md
  if (options.dbFile !== undefined) {
    args.push('--db-filename', options.dbFile);
    args.push('--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL');
  }
  return args;
}

async function waitUntilReady(running: RunningTemporal, options: TemporalOptions): Promise<void> {
  let exit: Exit | undefined;
  void running.exited.then((how) => (exit = how));
  const giveUpAt = Date.now() + STARTING_MS;
  const server = { connectionOptions: { address: running.address }, namespace: options.namespace ?? 'default' };
  while (!(await answers(server))) {
    if (exit !== undefined || Date.now() > giveUpAt) {
      const how = exit === undefined ? `is not ready after ${STARTING_MS / 1000} s` : `ended: ${describeExit(exit)}`;
      throw new UserError(
        `Temporal did not start (${how}):\n${lastLines(options.logFile, 5)}`,
        `The whole log is ${options.logFile}.`,
      );
    }
    await sleep(100);
  }
}
