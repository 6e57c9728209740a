import { loadConfig, type Config } from './config';
import { dataFolder } from './embedded/data-folder';
import { lockHolder } from './embedded/lock';
import { localEnv, withOwnPorts } from './local-env';
import { loadLocalSettings } from './local-settings';
import { probeApi, probeBank, probePostgres, probeTemporal, probeWorker, type Health } from './probes';
import type { Env } from './settings';
import { PROCESS_NAMES, readState, type ProcessName, type State } from './state';

export interface ProcessStatus {
  name: ProcessName;
  /** Null for a process that is down at the moment, and for a server that isn't ours. */
  pid: number | null;
  port: number | null;
  health: 'healthy' | 'unhealthy' | 'down';
  /** Why, when it isn't healthy. */
  reason?: string;
}

export interface Status {
  /** The pid of `holdfast up`. */
  up: number | null;
  processes: ProcessStatus[];
}

/** Each process of the instance on this data folder, asked now rather than remembered. */
export async function readStatus(env: Env): Promise<Status> {
  const folder = dataFolder(loadLocalSettings(env).dataDir);
  const holder = lockHolder(folder.lock);
  const state = readState(folder.state);
  if (holder === undefined || state === undefined) return { up: null, processes: [] };
  const config = loadConfig(withOwnPorts(localEnv(env), state.ports));
  const processes = await Promise.all(listed(state).map((name) => ask(name, config, state)));
  return { up: holder.pid, processes };
}

/** A bank that isn't ours has no health that we could ask for. */
function listed({ ports }: State): ProcessName[] {
  return PROCESS_NAMES.filter((name) => name !== 'bank' || ports.bank !== undefined);
}

async function ask(name: ProcessName, config: Config, state: State): Promise<ProcessStatus> {
  const pid = state.processes[name]?.pid ?? null;
  const { port, health, ours } = await probe(name, config, state);
  if (health.healthy) return { name, pid, port, health: 'healthy' };
  return { name, pid, port, health: ours && pid === null ? 'down' : 'unhealthy', reason: health.reason };
}

async function probe(
  name: ProcessName,
  config: Config,
  { ports }: State,
): Promise<{ port: number | null; health: Health; ours: boolean }> {
  switch (name) {
    case 'postgres': {
      const all = await Promise.all(config.shards.map(({ url }) => probePostgres(url)));
      const health = all.find((each) => !each.healthy) ?? { healthy: true };
      const given = Number(new URL(config.shards[0]!.url).port || 5432);
      return { port: ports.postgres ?? given, health, ours: ports.postgres !== undefined };
    }
    case 'temporal': {
      const given = Number(/:(\d+)$/.exec(config.temporal.address)?.[1] ?? 7233);
      const health = await probeTemporal(config);
      return { port: ports.temporal ?? given, health, ours: ports.temporal !== undefined };
    }
    case 'bank':
      return { port: ports.bank ?? null, health: await probeBank(config), ours: true };
    case 'api':
      return { port: ports.api, health: await probeApi(config), ours: true };
    case 'worker':
      return { port: ports.worker, health: await probeWorker(config), ours: true };
  }
}

export async function printStatus(env: Env, json: boolean): Promise<number> {
  const status = await readStatus(env);
  if (json) console.log(JSON.stringify(status, null, 2));
  else if (status.up === null) {
    console.log(`Holdfast is not running on ${loadLocalSettings(env).dataDir}. Start it with \`npm start\`.`);
  } else {
    console.log(`Holdfast runs (pid ${status.up})`);
    for (const { name, pid, port, health, reason } of status.processes) {
      const columns = [name.padEnd(10), `pid ${pid ?? '-'}`.padEnd(13), `port ${port ?? '-'}`.padEnd(12), health];
      console.log(`  ${columns.join('')}${reason === undefined ? '' : `: ${reason}`}`);
    }
  }
  return status.up !== null && status.processes.every(({ health }) => health === 'healthy') ? 0 : 1;
}
