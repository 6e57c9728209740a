import type { Client, WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerJobs } from './child';
import type { empty } from './empty-workflow';
import { percentile } from './stats';
import { connectTemporal } from '../worker/temporal';

export type TemporalJob =
  | { name: 'ready' }
  /** Starts, one after another; each waits `restMs` after the answer to the one before. */
  | { name: 'start'; restMs: number; warmUpMs: number; runMs: number }
  /** Whole workflows, so many at once. */
  | { name: 'empty'; inFlight: number; warmUpMs: number; runMs: number };

/** Of `start`: answers and their times; of `empty`: workflows completed. */
export interface TemporalResult {
  rate: number;
  p50: number;
  p99: number;
}

const silent = { info() {}, warn() {}, error() {} };
const TASK_QUEUE = 'bench-empty';

/** Connected as our own processes are, so that both sides of a ratio use the same means. */
async function prepare() {
  const { client, connection } = await connectTemporal({
    connectionOptions: { address: process.env.BENCH_TEMPORAL_ADDRESS! },
    namespace: 'default',
    log: silent,
  });
  const worker = await Worker.create({
    connection,
    taskQueue: TASK_QUEUE,
    workflowsPath: require.resolve('./empty-workflow'),
  });
  const working = worker.run();
  return {
    client,
    stop: async () => {
      worker.shutdown();
      await working;
      await connection.close();
    },
  };
}

const prepared = prepare();

function startEmpty(client: Client) {
  return client.workflow.start<typeof empty>('empty', {
    taskQueue: TASK_QUEUE,
    workflowId: `bench-empty/${randomUUID()}`,
  });
}

async function startLatency(client: Client, restMs: number, warmUpMs: number, runMs: number): Promise<TemporalResult> {
  const from = performance.now() + warmUpMs;
  const until = from + runMs;
  const latencies: number[] = [];
  let last: WorkflowHandle | undefined;
  while (performance.now() < until) {
    const began = performance.now();
    last = await startEmpty(client);
    if (began >= from) latencies.push(performance.now() - began);
    if (restMs > 0) await sleep(restMs);
  }
  await last?.result(); // whoever measures next finds the server at rest
  return { rate: NaN, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

/** Workflows from their start until their result is here, so many at once. */
async function emptyRate(client: Client, inFlight: number, warmUpMs: number, runMs: number): Promise<TemporalResult> {
  const from = performance.now() + warmUpMs;
  const until = from + runMs;
  const latencies: number[] = [];
  const one = async () => {
    while (performance.now() < until) {
      const began = performance.now();
      await (await startEmpty(client)).result();
      const now = performance.now();
      if (now >= from && now < until) latencies.push(now - began);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  const rate = (latencies.length / runMs) * 1000;
  return { rate, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

answerJobs<TemporalJob, TemporalResult>(
  async (job) => {
    const { client } = await prepared;
    if (job.name === 'ready') return { rate: NaN, p50: NaN, p99: NaN };
    if (job.name === 'start') return startLatency(client, job.restMs, job.warmUpMs, job.runMs);
    return emptyRate(client, job.inFlight, job.warmUpMs, job.runMs);
  },
  async () => (await prepared).stop(),
);
