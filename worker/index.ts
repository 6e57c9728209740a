import { existsSync } from 'node:fs';
import path from 'node:path';
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
}

/** One worker on one task queue, with the workflows bundled at build time where there is such a bundle. */
export function createWorker({ connection, namespace, taskQueue, activities }: WorkerParts): Promise<Worker> {
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    ...workflowCode(),
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
    shutdownGraceTime: GRACE,
    maxConcurrentActivityTaskExecutions: 100,
    maxTaskQueueActivitiesPerSecond: parts.callsPerSecond,
  });
}

export const BUNDLE_PATH = path.join(__dirname, '..', 'workflow-bundle.js');

function workflowCode(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  return existsSync(BUNDLE_PATH)
    ? { workflowBundle: { codePath: BUNDLE_PATH } }
    : { workflowsPath: require.resolve('../workflows') };
}
