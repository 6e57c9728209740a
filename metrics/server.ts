import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, register } from 'prom-client';
import type { Logger } from '../ledger/log';

export interface MetricsOptions {
  host: string;
  port: number;
  /** Where Temporal's SDK has its own figures. Absent: nothing is counted, and there are no figures to show. */
  sdkAddress?: string;
  /** Reads what isn't counted here; what it read is good for some seconds. */
  refresh?: () => Promise<void>;
  /** What else is asked for here. */
  health?: () => { healthy: boolean; body: object };
  log: Logger;
}

const FRESH_FOR_MS = 5_000;

/** The port for whoever watches this process: `/metrics`, and `/healthz` where that is given. */
export async function serveMetrics(options: MetricsOptions): Promise<http.Server> {
  const { sdkAddress } = options;
  if (sdkAddress !== undefined) collectDefaultMetrics();
  let refreshing: Promise<void> | undefined;
  let refreshedAt = -Infinity;

  async function fresh(): Promise<void> {
    if (!options.refresh || performance.now() - refreshedAt < FRESH_FOR_MS) return;
    refreshing ??= options.refresh().finally(() => {
      refreshedAt = performance.now();
      refreshing = undefined;
    });
    await refreshing;
  }

  async function metrics(): Promise<string> {
    await fresh();
    const sdk = await fetch(`http://${sdkAddress}/metrics`, { signal: AbortSignal.timeout(1_000) })
      .then((answer) => answer.text())
      .catch(() => '');
    return `${await register.metrics()}\n${sdk}`;
  }

  const server = http.createServer((req, res) => {
    if (req.url === '/healthz' && options.health) {
      const { healthy, body } = options.health();
      res.writeHead(healthy ? 200 : 503, { 'content-type': 'application/json' });
      res.end(JSON.stringify(body));
    } else if (req.url === '/metrics' && sdkAddress !== undefined) {
      metrics().then(
        (text) => {
          res.writeHead(200, { 'content-type': register.contentType });
          res.end(text);
        },
        (err: unknown) => {
          options.log.error({ err }, 'metrics could not be read');
          res.writeHead(500).end();
        },
      );
    } else {
      res.writeHead(404).end();
    }
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  options.log.info({ port: (server.address() as AddressInfo).port }, 'metrics are served');
  return server;
}
