import { proxyActivities, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities';
import {
  partsOf,
  type ReconciledPart,
  type ReconcileInput,
  type ReconciliationPart,
} from '../contracts/reconciliation';
import { rootMessage } from './failures';

const { reconcilePart } = proxyActivities<Activities>({
  startToCloseTimeout: '12 hours',
  heartbeatTimeout: '2 minutes',
  retry: { initialInterval: '5s', maximumInterval: '1 minute', maximumAttempts: 10 },
});
const { giveUpReconciliation } = proxyActivities<Activities>({
  startToCloseTimeout: '10s',
  retry: { maximumAttempts: 10 },
});

/**
 * Holds the books against themselves, the shards against each other, and us against the bank. It only reads and says what
 * it found; a part that can't be carried out keeps none of the others from being.
 */
export async function reconcile(input: ReconcileInput): Promise<ReconciledPart[]> {
  const parts = partsOf(input.run ?? workflowInfo().runId, input, Date.now());
  const reconciled = await Promise.all(parts.map((part) => reconcilePart(part).catch((error) => giveUp(part, error))));
  setCurrentDetails(reconciled.map(line).join('\n'));
  return reconciled;
}

async function giveUp(part: ReconciliationPart, reason: unknown): Promise<ReconciledPart> {
  const error = rootMessage(reason);
  // Its row may be what can't be written.
  await giveUpReconciliation(part, error).catch(() => undefined);
  return { id: part.id, status: 'failed', checked: 0, findings: 0, error };
}

function line({ id, status, checked, findings, error }: ReconciledPart): string {
  return `- ${id}: ${status}, ${checked} checked, ${findings} findings${error === undefined ? '' : `; ${error}`}`;
}
