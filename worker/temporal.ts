import { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { NativeConnection, Runtime, type NativeConnectionOptions } from '@temporalio/worker';
import type { Logger } from '../ledger/log';
import type { TemporalTracing } from '../tracing/temporal';
import { sealedPayloads, type PayloadKeys } from './payload-codec';

export interface Temporal {
  connection: NativeConnection;
  client: Client;
  namespace: string;
  /** Where payloads are encrypted, or were. */
  dataConverter?: DataConverter;
  /** Where traces are kept: for workers of the same process. */
  tracing?: TemporalTracing;
}

/**
 * One connection for client and workers of a process: that is what lets the server hand a workflow's first task back in
 * the answer to its start. The runtime would trap signals and stop the workers at once; the order of a shutdown is ours.
 */
export async function connectTemporal(options: {
  connectionOptions: NativeConnectionOptions;
  namespace: string;
  log: Logger;
  /** Where the SDK answers with its own figures. */
  metricsAddress?: string;
  payloads?: PayloadKeys;
  tracing?: TemporalTracing;
}): Promise<Temporal> {
  const { namespace, payloads, tracing } = options;
  installRuntime(options.log, options.metricsAddress);
  const connection = await NativeConnection.connect(options.connectionOptions);
  const dataConverter = sealedPayloads(payloads);
  const interceptors = tracing && { workflow: tracing.client };
  const client = new Client({ connection, namespace, dataConverter, ...(interceptors && { interceptors }) });
  return { connection, client, namespace, ...(dataConverter && { dataConverter }), ...(tracing && { tracing }) };
}

function installRuntime(log: Logger, metricsAddress: string | undefined): void {
  Runtime.install({
    shutdownSignals: [],
    logger: {
      log: (level, message, meta) => forward(log, level, message, meta),
      trace: () => undefined,
      debug: () => undefined,
      info: (message, meta) => forward(log, 'INFO', message, meta),
      warn: (message, meta) => forward(log, 'WARN', message, meta),
      error: (message, meta) => forward(log, 'ERROR', message, meta),
    },
    telemetryOptions: {
      logging: { forward: {}, filter: 'WARN' },
      ...(metricsAddress !== undefined && { metrics: { prometheus: { bindAddress: metricsAddress } } }),
    },
  });
}

/** Workflow and activity arguments never reach a log line; what names the run does. */
function forward(log: Logger, level: string, message: string, meta: object = {}): void {
  const { error, workflowId, workflowType, activityType, taskQueue, attempt } = meta as Record<string, unknown>;
  const fields = { err: error, workflowId, workflowType, activityType, taskQueue, attempt };
  if (level === 'ERROR') log.error(fields, message);
  else if (level === 'WARN') log.warn(fields, message);
  else if (level === 'INFO' && error === undefined) return;
}
