import { existsSync } from 'node:fs';
import path from 'node:path';
import type { NativeConnection } from '@temporalio/worker';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { Activities } from '../activities';

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
    maxConcurrentActivityTaskExecutions: 40,
    maxCachedWorkflows: 500,
  });
}

export const BUNDLE_PATH = path.join(__dirname, '..', 'workflow-bundle.js');

function workflowCode(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  return existsSync(BUNDLE_PATH)
    ? { workflowBundle: { codePath: BUNDLE_PATH } }
    : { workflowsPath: require.resolve('../workflows') };
}
