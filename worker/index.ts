import { existsSync } from 'node:fs';
import path from 'node:path';
import type { DataConverter } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { Activities } from '../activities';
import { BANK_TASK_QUEUE } from '../contracts/payments';

/** Above the longest activity: what runs when a worker stops is let finish. */
const GRACE = '20s';

export interface WorkerParts {
  connection: NativeConnection;
  namespace: string;
  taskQueue: string;
  activities: Activities;
  dataConverter?: DataConverter;
}

/** One worker on one task queue, with the workflows bundled at build time where there is such a bundle. */
export function createWorker({
  connection,
  namespace,
  taskQueue,
  activities,
  dataConverter,
}: WorkerParts): Promise<Worker> {
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    dataConverter,
    ...workflowCode(dataConverter !== undefined),
    shutdownGraceTime: GRACE,
    maxConcurrentWorkflowTaskExecutions: 40,
    maxConcurrentLocalActivityExecutions: 40,
    // A bank that hangs may hold many first calls for seconds.
    maxConcurrentActivityTaskExecutions: 100,
    maxCachedWorkflows: 500,
  });
}

/**
 * Calls to the bank, and nothing else: all but each payment's first. Their rate has a limit that holds over all workers
 * together, so that an outage of the bank that ends doesn't become a storm.
 */
export function createBankWorker(parts: Omit<WorkerParts, 'taskQueue'> & { callsPerSecond: number }): Promise<Worker> {
  return Worker.create({
    connection: parts.connection,
    namespace: parts.namespace,
    taskQueue: BANK_TASK_QUEUE,
    activities: parts.activities,
    dataConverter: parts.dataConverter,
    shutdownGraceTime: GRACE,
    maxConcurrentActivityTaskExecutions: 100,
    maxTaskQueueActivitiesPerSecond: parts.callsPerSecond,
  });
}

/** The same workflows twice: how a failure is put into words is part of a bundle. */
export const bundlePath = (isSealed: boolean) =>
  path.join(__dirname, '..', isSealed ? 'workflow-bundle-sealed.js' : 'workflow-bundle.js');

function workflowCode(isSealed: boolean): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const codePath = bundlePath(isSealed);
  return existsSync(codePath) ? { workflowBundle: { codePath } } : { workflowsPath: require.resolve('../workflows') };
}
