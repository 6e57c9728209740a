import { heartbeat, sleep } from '@temporalio/activity';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import {
  TASK_QUEUE,
  transferWorkflowId,
  workflowTypes,
  type SweepInput,
  type SweptShard,
  type TransferItem,
} from '../contracts/transfers';
import { isPayment, ownerWorkflowId } from '../contracts/payments';
import { withDeadline } from '../worker/deadline';
import { handleInboxEvents, waitingEvents } from '../payments/inbox';
import { openTransactions, type OpenTransaction } from '../ledger/open-transactions';
import { reachable } from '../ledger/shards';
import { transferStartOptions } from '../workflows/start-options';
import type { transfer } from '../workflows';
import type { Owners } from '../worker/owners';
import type { ActivityDeps } from './deps';

const PAGE = 200;
/** Asking Temporal about one owner at a time, with a breath between, keeps a large sweep from crowding out customers. */
const PAUSE_MS = 10;
const CALL_DEADLINE_MS = 5_000;
const MAX_FAILURES = 10;

export function sweepActivities({ shards, client, owners, sealer, log }: ActivityDeps) {
  return {
    async sweepShard(shard: number, { youngMs, settings }: SweepInput): Promise<SweptShard> {
      const { db } = await reachable(shards.shard(shard));
      const createdBefore = new Date(Date.now() - youngMs);
      const swept: SweptShard = { shard, looked: 0, restarted: 0 };
      let page: OpenTransaction[];
      let after: OpenTransaction | undefined;
      let failures = 0;
      do {
        page = await openTransactions(db, { createdBefore, after, limit: PAGE });
        for (const open of page) {
          swept.looked += 1;
          try {
            if (await restartIfGone({ client, owners }, open, settings)) {
              swept.restarted += 1;
              const { item, owner } = open;
              log.info({ transactionId: item.id, owner }, 'the sweep started a workflow that was gone');
            }
          } catch (err) {
            // One that can't be looked after must not keep the others from being; Temporal being away is seen at once.
            log.warn({ err, transactionId: open.item.id }, 'the sweep could not look after a transfer');
            failures += 1;
            if (failures >= MAX_FAILURES) throw err;
          }
          heartbeat(swept);
          await sleep(PAUSE_MS);
        }
        after = page.at(-1);
      } while (page.length === PAGE);
      const waiting = await waitingEvents(db, { olderThanMs: youngMs, limit: PAGE });
      await handleInboxEvents({ shards, sealer, owners, log }, shard, waiting);
      if (waiting.length > 0) swept.news = waiting.length;
      return swept;
    },
  };
}

/** Whether it was started here: its owner is gone, and nobody else was quicker. */
async function restartIfGone(
  { client, owners }: { client: Client; owners: Owners },
  open: OpenTransaction,
  settings: SweepInput['settings'],
): Promise<boolean> {
  const { item, type, status, owner } = open;
  if (await isRunning(client, owner ?? ownerWorkflowId(type, item.id))) {
    if (open.isOverdue) await wake({ owners }, open);
    return false;
  }
  if (isPayment(type)) return owners.start({ ...item, type, status });
  if (await restart(client, item, settings)) return true;
  if (open.isOverdue) await wake({ owners }, open);
  return false;
}

/** Time alone releases nothing: whoever owns an overdue hold reads the facts again, and captures or releases. */
async function wake({ owners }: { owners: Owners }, { item, type, status }: OpenTransaction): Promise<void> {
  if (isPayment(type)) await owners.news({ ...item, type, status });
  // While a group still has it, there is nobody of that name: the group tries by itself.
  else await owners.signalTransfer(item.id, 'retry');
}

/** Asked by Describe: visibility lags, and may be lost apart from the workflows. */
async function isRunning(client: Client, workflowId: string): Promise<boolean> {
  try {
    const { status } = await withDeadline(client.connection, CALL_DEADLINE_MS, () =>
      client.workflow.getHandle(workflowId).describe(),
    );
    return status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** False when its own workflow was there already: the owner that its row names had handed it over. */
async function restart(client: Client, item: TransferItem, settings: SweepInput['settings']): Promise<boolean> {
  try {
    await withDeadline(client.connection, CALL_DEADLINE_MS, () =>
      client.workflow.start<typeof transfer>(workflowTypes.transfer, {
        ...transferStartOptions(item),
        workflowId: transferWorkflowId(item.id),
        taskQueue: TASK_QUEUE,
        args: [{ item, settings }],
      }),
    );
    return true;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return false;
  }
}
