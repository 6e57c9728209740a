import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Config } from './config';
import { answers } from './embedded/temporal-client';
import { UserError } from './user-error';

/** What a probe found: nothing wrong, or the reason in a few words. */
export type Health = { healthy: true } | { healthy: false; reason: string };

const TIMEOUT_MS = 2_000;
const HEALTHY_WITHIN_MS = 60_000;

export async function probePostgres(url: string): Promise<Health> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select 1');
    return { healthy: true };
  } catch (error) {
    return { healthy: false, reason: reasonOf(error) };
  } finally {
    void client.end().catch(() => {});
  }
}

export async function probeTemporal({ temporal }: Config): Promise<Health> {
  return (await answers(temporal))
    ? { healthy: true }
    : { healthy: false, reason: `no answer from ${temporal.address}` };
}

/** The API is healthy when it is ready to serve, which includes what it leans on. */
export function probeApi({ http }: Config): Promise<Health> {
  const host = ['0.0.0.0', '::', ''].includes(http.host) ? '127.0.0.1' : http.host;
  return probeHttp(`http://${host.includes(':') ? `[${host}]` : host}:${http.port}/readyz`);
}

export function probeWorker({ worker }: Config): Promise<Health> {
  return probeHttp(`http://127.0.0.1:${worker.healthPort}/healthz`);
}

/** Of the simulator: a real bank has no address for this. */
export function probeBank({ bank }: Config): Promise<Health> {
  return probeHttp(`${bank.url}/healthz`);
}

async function probeHttp(url: string): Promise<Health> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (answer.ok) return { healthy: true };
    return { healthy: false, reason: `${answer.status} ${(await answer.text()).slice(0, 200)}`.trim() };
  } catch (error) {
    return { healthy: false, reason: reasonOf(error) };
  }
}

/** Connection errors hide the useful part in a cause, or in a list of tries, one an address. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  return error.cause === undefined ? error.message : reasonOf(error.cause);
}

const PROBES = { api: probeApi, worker: probeWorker, bank: probeBank };
export type OurProcess = keyof typeof PROBES;

export async function waitUntilHealthy(name: OurProcess, config: Config): Promise<void> {
  const giveUpAt = Date.now() + HEALTHY_WITHIN_MS;
  for (;;) {
    const health = await PROBES[name](config);
    if (health.healthy) return;
    if (Date.now() > giveUpAt) {
      throw new UserError(`The ${name} is not healthy after ${HEALTHY_WITHIN_MS / 1000} s: ${health.reason}`);
    }
    await sleep(100);
  }
}
