import type { Connection } from '@temporalio/client';
import type { Config } from '../config';

/** What ops filters by in the Web UI; all of type Keyword. Workers ensure them too, for servers we didn't start. */
export const SEARCH_ATTRIBUTES = [
  'HoldfastTransactionId',
  'HoldfastType',
  'HoldfastStatus',
  'HoldfastReason',
  'HoldfastCurrency',
];

type Server = Pick<Config['temporal'], 'connectionOptions' | 'namespace'>;

const DEADLINE_MS = 2_000;

/** Whether the server answers about its namespace, asked as a client would. */
export async function answers(server: Server): Promise<boolean> {
  try {
    await ask(server, (connection) => connection.workflowService.describeNamespace({ namespace: server.namespace }));
    return true;
  } catch {
    return false;
  }
}

/** What the server calls itself. */
export async function serverVersion(server: Server): Promise<string> {
  return (await ask(server, (each) => each.workflowService.getSystemInfo({}))).serverVersion ?? '';
}

export async function missingSearchAttributes(server: Server): Promise<string[]> {
  const { namespace } = server;
  const known = await ask(server, (each) => each.operatorService.listSearchAttributes({ namespace }));
  return SEARCH_ATTRIBUTES.filter((name) => !Object.hasOwn(known.customAttributes, name));
}

async function ask<T>(server: Server, question: (connection: Connection) => Promise<T>): Promise<T> {
  const { Connection } = await import('@temporalio/client'); // slow to load, so only where it is needed
  const { address, tls, apiKey, metadata } = server.connectionOptions;
  const connection = Connection.lazy({ address, tls, apiKey, metadata, connectTimeout: DEADLINE_MS });
  try {
    return await connection.withDeadline(Date.now() + DEADLINE_MS, () => question(connection));
  } finally {
    await connection.close();
  }
}
