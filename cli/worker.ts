import { createHttpRail } from '../bank/http-rail';
import { createActivities } from '../activities';
import { createLog } from '../api/log';
import { BANK_TASK_QUEUE, PAYMENT_TASK_QUEUE } from '../contracts/payments';
import { LANE_TASK_QUEUE, TASK_QUEUE } from '../contracts/transfers';
import { GroupPosts } from '../ledger/group-posts';
import { createSealer } from '../ledger/seal';
import { openShards } from '../ledger/shards';
import { countNothing } from '../metrics/off';
import { timedRail } from '../metrics/rail';
import { readFacts } from '../worker/read-facts';
import { serveMetrics } from '../metrics/server';
import { startTracing, stopTracing, traceHeaders } from '../tracing';
import { createBankWorker, createWorker } from '../worker';
import { Owners } from '../worker/owners';
import { ensurePatiently, keepEnsuring } from '../worker/ensure';
import {
  monthsSchedule,
  notifySchedule,
  reconcileSchedule,
  snapshotsSchedule,
  sweepSchedule,
} from '../worker/schedules';
import { connectTemporal } from '../worker/temporal';
import type { Config } from './config';
import { openNotifier } from './notifier';
import { freePort } from './embedded/ports';
import { onStopSignal } from './stop-signal';

/** One worker process: all task queues, the schedules, and a health endpoint. */
export async function runWorker(config: Config): Promise<void> {
  const log = createLog({ level: config.logLevel, name: 'worker' });
  const { slowQueryMs, host, isOn } = config.metrics;
  if (!isOn) countNothing();
  const shards = openShards({
    urls: config.shards.map((shard) => shard.url),
    log,
    defaultLimits: config.defaultLimits,
    slowQueryMs: isOn ? slowQueryMs : undefined,
    isTimed: isOn || config.tracing !== undefined,
  });
  const sdkAddress = isOn ? `127.0.0.1:${await freePort()}` : undefined;
  const tracing = startTracing(config.tracing && { ...config.tracing, service: 'holdfast-worker' }, log);
  const temporal = await connectTemporal({
    ...config.temporal,
    log,
    metricsAddress: sdkAddress,
    payloads: config.secrets.payloads,
    tracing: tracing?.temporal,
  });
  const sealer = createSealer({ shards, ...config.secrets });
  const notifier = openNotifier(config, { log, sealer });
  const activities = createActivities({
    rail: timedRail(createHttpRail({ ...config.bank, headers: traceHeaders })),
    sealer,
    owners: new Owners(temporal.client, config.payments, log),
    shards,
    client: temporal.client,
    log,
    groupPosts: new GroupPosts(shards, log),
    notifier,
  });
  const sweepInput = { shards: shards.count, youngMs: config.sweep.youngMs, settings: config.transfers };
  const schedules = [
    sweepSchedule(config.sweep.everyMs, sweepInput),
    notifySchedule(config.notify.everyMs, { shards: shards.count }),
    reconcileSchedule(config.reconcile.everyMs, { shards: shards.count, youngMs: config.reconcile.youngMs }),
    monthsSchedule({ shards: shards.count }),
    snapshotsSchedule(config.snapshotEveryMs, { shards: shards.count }),
  ];
  await ensurePatiently(temporal, schedules, log);
  const stopEnsuring = keepEnsuring(temporal, schedules, log);

  const workers = await Promise.all([
    ...[TASK_QUEUE, LANE_TASK_QUEUE, PAYMENT_TASK_QUEUE].map((taskQueue) =>
      createWorker({ ...temporal, taskQueue, activities }),
    ),
    createBankWorker({ ...temporal, activities, callsPerSecond: config.bank.callsPerSecond }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  const taskQueues = [TASK_QUEUE, LANE_TASK_QUEUE, PAYMENT_TASK_QUEUE, BANK_TASK_QUEUE];
  const watched = await serveMetrics({
    host,
    port: config.worker.healthPort,
    sdkAddress,
    refresh: () => readFacts({ shards, temporal, schedules, taskQueues, log }),
    health: () => {
      const states = workers.map((worker) => worker.getState());
      const healthy = states.every((state) => state === 'RUNNING');
      return { healthy, body: { status: healthy ? 'ok' : 'stopping', workers: states } };
    },
    log,
  });

  onStopSignal(log, async () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await running;
  });
  try {
    await running;
  } finally {
    stopEnsuring();
    watched.close();
    watched.closeAllConnections();
    for (const channel of notifier.channels) channel.close();
    await shards.close();
    await temporal.connection.close();
    await stopTracing();
  }
}
