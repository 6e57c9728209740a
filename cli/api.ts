import http from 'node:http';
import { once } from 'node:events';
import { createHttpRail } from '../bank/http-rail';
import { createActivities } from '../activities';
import { createApp } from '../api/app';
import { Callers } from '../api/callers';
import { inProcess, sharedBy } from '../api/counters';
import { Lanes } from '../api/lane';
import { createLog } from '../api/log';
import { LogInGuard } from '../api/log-in-guard';
import { Provider } from '../api/provider';
import { RateLimits } from '../api/rate-limits';
import { createTokens } from '../api/tokens';
import { Unproven } from '../api/unproven';
import { PAYMENT_TASK_QUEUE } from '../contracts/payments';
import { LANE_TASK_QUEUE } from '../contracts/transfers';
import { GroupPosts } from '../ledger/group-posts';
import { Names } from '../ledger/names';
import { createSealer } from '../ledger/seal';
import { openShards } from '../ledger/shards';
import { countNothing } from '../metrics/off';
import { timedRail } from '../metrics/rail';
import { serveMetrics } from '../metrics/server';
import { startTracing, stopTracing, traceHeaders } from '../tracing';
import { KnownAddresses } from '../users/known-addresses';
import { createWorker } from '../worker';
import { withDeadline } from '../worker/deadline';
import { Owners } from '../worker/owners';
import { payloadCodec } from '../worker/payload-codec';
import { connectTemporal } from '../worker/temporal';
import type { Config } from './config';
import { freePort } from './embedded/ports';
import { NAME_PROXIES } from './guard-settings';
import { onStopSignal } from './stop-signal';
import { workflowUrls } from './workflow-urls';

const READY_DEADLINE_MS = 2_000;
/** Who connects and says nothing, or hardly anything, is cut off; a proxy in front keeps its idle connections longer. */
const CONNECTIONS = {
  headersTimeout: 15_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 65_000,
};

/** Connections that a rush of them may keep waiting: past that many, honest ones are turned away too. */
const MAX_UNACCEPTED = 4_096;

/** One API process: HTTP, the lanes, and the workers that run what it starts. */
export async function runApi(config: Config): Promise<void> {
  const log = createLog({ level: config.logLevel, name: 'api' });
  const { slowQueryMs, slowRequestMs, isOn } = config.metrics;
  if (!isOn) countNothing();
  const shards = openShards({
    urls: config.shards.map((shard) => shard.url),
    replicas: config.shards.map((shard) => shard.replica),
    log,
    patienceMs: 3_000,
    defaultLimits: config.defaultLimits,
    slowQueryMs: isOn ? slowQueryMs : undefined,
    isTimed: isOn || config.tracing !== undefined,
  });
  const { payloads } = config.secrets;
  const sdkAddress = isOn ? `127.0.0.1:${await freePort()}` : undefined;
  const tracing = startTracing(config.tracing && { ...config.tracing, service: 'holdfast-api' }, log);
  const temporal = await connectTemporal({
    ...config.temporal,
    log,
    metricsAddress: sdkAddress,
    payloads,
    tracing: tracing?.temporal,
  });
  const { client, connection, namespace } = temporal;
  const rail = timedRail(createHttpRail({ ...config.bank, headers: traceHeaders }));
  const sealer = createSealer({ shards, ...config.secrets });
  const owners = new Owners(client, config.payments, log);
  const groupPosts = new GroupPosts(shards, log);
  const postGroup = groupPosts.post.bind(groupPosts);
  const lanes = new Lanes({ client, shards, log, settings: config.lane, transfers: config.transfers, postGroup });
  const activities = createActivities({ shards, client, log, groupPosts, rail, sealer, owners });
  const workers = await Promise.all(
    [LANE_TASK_QUEUE, PAYMENT_TASK_QUEUE].map((taskQueue) => createWorker({ ...temporal, taskQueue, activities })),
  );
  const working = Promise.all(workers.map((worker) => worker.run()));

  const tokens = createTokens({ key: config.secrets.tokenKey, ttlSeconds: config.tokenTtlSeconds });
  const provider = config.provider && new Provider(config.provider);
  const { rates, redisUrl, trustProxy } = config.guard;
  const counters = redisUrl === undefined ? inProcess() : sharedBy(redisUrl, log);
  const unproven = new Unproven(counters);
  if (config.production && trustProxy === false) log.warn(`HOLDFAST_TRUST_PROXY is not set. ${NAME_PROXIES}`);

  let stopping = false;
  const app = createApp({
    shards,
    names: new Names(shards),
    sealer,
    tokens,
    callers: new Callers({
      ...{ shards, tokens, sealer, unproven, provider },
      rememberMs: config.sessions.revokedWithinMs,
    }),
    sessionTtlSeconds: config.sessions.ttlSeconds,
    rates: new RateLimits(counters, rates),
    logInGuard: new LogInGuard(counters, new KnownAddresses(shards, config.secrets.commandKey), log),
    unproven,
    trustProxy,
    log,
    lanes,
    owners,
    rail,
    codec: payloads && { ...payloadCodec(payloads), uiUrl: config.temporal.uiUrl },
    approvalFrom: config.approvalFrom,
    defaultLimits: config.defaultLimits,
    workflowUrl: workflowUrls(config.temporal),
    reconcileYoungMs: config.reconcile.youngMs,
    commandKey: config.secrets.commandKey,
    checks: {
      temporal: async () => {
        await withDeadline(connection, READY_DEADLINE_MS, () =>
          client.workflowService.describeNamespace({ namespace }),
        );
      },
    },
    isStopping: () => stopping,
    deadlineMs: config.lane.deadlineMs,
    slowRequestMs,
  });
  const metrics = isOn ? await serveMetrics({ ...config.metrics, sdkAddress, log }) : undefined;
  const server = http.createServer({ ...CONNECTIONS }, app);
  server.listen({ port: config.http.port, host: config.http.host, backlog: MAX_UNACCEPTED });
  await once(server, 'listening');
  log.info({ port: config.http.port }, 'listening');

  // Not ready; accept nothing new; let what was accepted end; then the workers, the posters, the connections.
  onStopSignal(log, async () => {
    stopping = true;
    const closed = once(server, 'close');
    server.close();
    server.closeIdleConnections();
    await Promise.all([lanes.drain(), owners.drain()]);
    server.closeIdleConnections();
    await Promise.race([closed, new Promise((resume) => setTimeout(resume, 2_000).unref())]);
    server.closeAllConnections();
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await working;
  });
  try {
    await working;
  } finally {
    server.close();
    server.closeAllConnections();
    metrics?.close();
    metrics?.closeAllConnections();
    counters.close();
    await shards.close();
    await connection.close();
    await stopTracing();
  }
}
