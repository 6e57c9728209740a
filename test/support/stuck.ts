import type { TransferStatus } from '../../contracts/transfers';
import { searchAttributes, transferStatusQuery } from '../../contracts/transfers';
import type { TestUser } from './api';
import { eventually } from './eventually';
import { walletOf, type TestHoldfast } from './holdfast';
import type { Trouble } from './trouble';

export interface Stuck {
  alice: TestUser;
  bob: TestUser;
  id: string;
  key: string;
  fields: { from: string; to: string; amount: string };
}

/** A transfer whose entries the database refuses, answered 202 and on its way in a workflow of its own. */
export async function stuckTransfer(holdfast: TestHoldfast, trouble: Trouble, key: string): Promise<Stuck> {
  const [alice, bob] = await holdfast.pair(key);
  const id = holdfast.idOf(alice, key);
  await trouble.for(id);
  const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
  const { status } = await holdfast.transfer(alice, key, fields, { prefer: 'respond-async' });
  expect(status).toBe(202);
  await eventually(() => holdfast.workflowOf(id).describe());
  return { alice, bob, id, key, fields };
}

/** One that has given up on automatic retries and waits for a person. */
export async function waitingTransfer(holdfast: TestHoldfast, trouble: Trouble, key: string): Promise<Stuck> {
  const stuck = await stuckTransfer(holdfast, trouble, key);
  await holdfast.becomes(stuck.alice, stuck.id, 'needs_attention', 15_000);
  return stuck;
}

export const statusOf = (holdfast: TestHoldfast, id: string): Promise<TransferStatus> =>
  holdfast.workflowOf(id).query(transferStatusQuery);

export async function currentDetails(holdfast: TestHoldfast, workflowId: string): Promise<string> {
  const handle = holdfast.outside.client.workflow.getHandle(workflowId);
  return (await handle.query<{ currentDetails: string }, []>('__temporal_workflow_metadata')).currentDetails;
}

/** What ops filter by in the Web UI. */
export async function attributesOf(holdfast: TestHoldfast, id: string) {
  const { searchAttributes: found } = await holdfast.workflowOf(id).describe();
  const { transactionId, type, status, currency } = searchAttributes;
  return [transactionId, type, status, currency].map((name) => found[name]?.[0]);
}
