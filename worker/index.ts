import { existsSync } from 'node:fs';
import path from 'node:path';
import type { DataConverter } from '@temporalio/common';
import type { NativeConnection } from '@temporalio/worker';
import {
  Worker,
  type ActivityInterceptorsFactory,
  type WorkerOptions,
  type WorkflowBundlePath,
} from '@temporalio/worker';
import type { Activities } from '../activities';
import { BANK_TASK_QUEUE, transactionOfWorkflow } from '../contracts/payments';
import { during } from '../tracing';
import type { TemporalTracing } from '../tracing/temporal';

/** Above the longest activity: what runs when a worker stops is let finish. */
const GRACE = '20s';

export interface WorkerParts {
  connection: NativeConnection;
  namespace: string;
  taskQueue: string;
  activities: Activities;
  dataConverter?: DataConverter;
  /** Where traces are kept. */
  tracing?: TemporalTracing;
  /** Left out: as the build bundled them. */
  workflowBundle?: WorkflowBundlePath;
}

/** One worker on one task queue, with the workflows bundled beforehand where there is such a bundle. */
export function createWorker(parts: WorkerParts): Promise<Worker> {
  const { connection, namespace, taskQueue, activities, dataConverter } = parts;
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    dataConverter,
    ...workflowCode(parts),
    ...seenFrom(parts),
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
export function createBankWorker(
  parts: Omit<WorkerParts, 'taskQueue' | 'workflowBundle'> & { callsPerSecond: number },
): Promise<Worker> {
  return Worker.create({
    connection: parts.connection,
    namespace: parts.namespace,
    taskQueue: BANK_TASK_QUEUE,
    activities: parts.activities,
    dataConverter: parts.dataConverter,
    ...seenFrom(parts),
    shutdownGraceTime: GRACE,
    maxConcurrentActivityTaskExecutions: 100,
    maxTaskQueueActivitiesPerSecond: parts.callsPerSecond,
  });
}

/** What the workflows are bundled with: what hands their traces on, and how a failure is put into words. */
export interface BundleKind {
  /** Failures are put into payloads, which a converter that only opens doesn't. */
  areSealed: boolean;
  areTraced: boolean;
}

type SeenParts = Pick<WorkerParts, 'dataConverter' | 'tracing' | 'workflowBundle'>;

export function bundleKindOf({ dataConverter, tracing }: SeenParts): BundleKind {
  return { areSealed: dataConverter?.failureConverterPath !== undefined, areTraced: tracing !== undefined };
}

export const bundleName = ({ areSealed, areTraced }: BundleKind) =>
  `workflow-bundle${areSealed ? '-sealed' : ''}${areTraced ? '-traced' : ''}.js`;

export const bundlePath = (kind: BundleKind) => path.join(__dirname, '..', bundleName(kind));

function bundleOf(parts: SeenParts): WorkflowBundlePath | undefined {
  const codePath = bundlePath(bundleKindOf(parts));
  return parts.workflowBundle ?? (existsSync(codePath) ? { codePath } : undefined);
}

function workflowCode(parts: SeenParts): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const workflowBundle = bundleOf(parts);
  return workflowBundle ? { workflowBundle } : { workflowsPath: require.resolve('../workflows') };
}

/** What an activity logs names the workflow it is for. */
const named: ActivityInterceptorsFactory = ({ info: { workflowExecution } }) => ({
  inbound: {
    execute(input, next) {
      const workflowId = workflowExecution?.workflowId;
      const transactionId = workflowId && transactionOfWorkflow(workflowId);
      return during({ workflowId, transactionId }, () => next(input));
    },
  },
});

function seenFrom(parts: SeenParts): Pick<WorkerOptions, 'interceptors' | 'sinks'> {
  const { tracing } = parts;
  if (!tracing) return { interceptors: { activity: [named] } };
  return {
    interceptors: {
      activity: [named, ...tracing.activity],
      // Where there is a bundle, it is in there.
      workflowModules: bundleOf(parts) ? [] : [require.resolve('../workflows/tracing')],
    },
    sinks: tracing.sinks,
  };
}
