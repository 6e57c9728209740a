import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Core } from './core';
import { ensureTables, openPool } from './database';
import { Outbox } from './events';
import { Faults } from './faults';
import { noLog, type Log } from './log';
import { Loop } from './loop';
import { createServer } from './server';
import { settleDue } from './settling';
import { Webhooks, type WebhookSettings } from './webhooks';

export interface BankOptions {
  /** A database of the bank's own, with a role that may make tables in it. */
  databaseUrl: string;
  /** 0, the default, picks a free one. */
  port?: number;
  host?: string;
  apiKey: string;
  /** Without it nobody is told anything. */
  webhook?: WebhookSettings | undefined;
  /** 0, the default: settled in the same answer. */
  settleAfterMs?: number;
  log?: Log;
}

export interface RunningBank {
  url: string;
  port: number;
  /** Ends in order: answers what it took on, then closes. */
  stop(): Promise<void>;
}

/** How long a call under way may hold up a stop. */
const STOPPING_MS = 3_000;

/** Runs the bank on its database, where everything it knows is kept: stopped and started again, it goes on. */
export async function startBank(options: BankOptions): Promise<RunningBank> {
  const { log = noLog, settleAfterMs = 0, host = '127.0.0.1' } = options;
  const pool = openPool(options.databaseUrl, (err) => log.warn({ err }, 'a database connection broke'));
  try {
    await ensureTables(pool);
  } catch (error) {
    await pool.end();
    throw error;
  }
  const faults = await Faults.load(pool, (err) => log.error({ err }, 'the faults could not be stored'));
  const outbox = new Outbox(faults, options.webhook !== undefined);
  const sender = options.webhook && new Webhooks(pool, faults, options.webhook, log);
  const webhooks =
    sender &&
    new Loop(
      () => sender.deliver(),
      (err) => log.error({ err }, 'delivering failed'),
    );
  const settle = async () => {
    const end = await settleDue(pool, outbox);
    webhooks?.wake();
    return end;
  };
  const settling = new Loop(settle, (err) => log.error({ err }, 'settling failed'));
  const core = new Core({ pool, faults, outbox, settling, webhooks, settleAfterMs });

  const server = http.createServer(
    { keepAliveTimeout: 65_000 },
    createServer({ core, pool, faults, apiKey: options.apiKey, log }),
  );
  const closeAll = async () => {
    sender?.stop();
    await Promise.all([settling.stop(), webhooks?.stop()]);
    await faults.settled();
    await pool.end();
  };
  try {
    server.listen(options.port ?? 0, host);
    await once(server, 'listening');
  } catch (error) {
    await closeAll();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  log.info({ port }, 'listening');

  const stopInOrder = async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeIdleConnections();
    const tooLong = setTimeout(() => server.closeAllConnections(), STOPPING_MS);
    await closed;
    clearTimeout(tooLong);
    await closeAll();
  };
  let stopped: Promise<void> | undefined;

  return {
    url: `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`,
    port,
    stop: () => (stopped ??= stopInOrder()),
  };
}
