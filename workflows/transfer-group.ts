import {
  CancellationScope,
  ParentClosePolicy,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  groupItemsQuery,
  TASK_QUEUE,
  transferWorkflowId,
  type PostedGroup,
  type TransferGroupInput,
  type TransferGroupResult,
  type TransferItem,
} from '../contracts/transfers';
import type { Activities } from '../activities';
import { transferStartOptions } from './start-options';
import type { transfer } from './transfer';

/** Children are started a few at a time, so that a bad moment does not become a storm of workflows. */
const SPLIT_AT_ONCE = 10;
const SPLIT_PAUSE_MS = 200;

/**
 * Many transfers, one durable workflow: the whole group is posted in one commit. What the group can't finish goes on as
 * `transfer/<id>`, whose start is awaited, so that no item is ever without an owner. Asking for cancellation changes
 * nothing: the group is over in a moment, and each of its transfers ends as the books decide.
 */
export async function transferGroup(input: TransferGroupInput): Promise<TransferGroupResult> {
  let posted: PostedGroup | undefined;
  setHandler(groupItemsQuery, () => {
    const trouble = new Set(posted?.trouble.map((each) => each.id));
    const status = (id: string) => (!posted ? 'posting' : trouble.has(id) ? 'split out' : 'posted');
    return input.items.map(({ id }) => ({ id, status: status(id) }));
  });

  return CancellationScope.nonCancellable(async () => {
    posted = await post(input);
    if (posted.trouble.length > 0) await splitOut(input, posted);
    return { ...posted, splitOut: posted.trouble.length };
  });
}

async function post(input: TransferGroupInput): Promise<PostedGroup> {
  // The quick way: in the workflow's own task, well inside its timeout.
  const local = proxyLocalActivities<Activities>({
    startToCloseTimeout: '2s',
    scheduleToCloseTimeout: '2s',
    retry: { maximumAttempts: 1 },
  });
  // The patient way, while the shard is down: the group stays together.
  const patient = proxyActivities<Activities>({
    startToCloseTimeout: '15s',
    scheduleToCloseTimeout: input.settings.groupMaxAgeMs,
    retry: { initialInterval: '500ms', maximumInterval: '5s' },
  });
  try {
    return await local.postTransfers(input.shard, input.items);
  } catch {
    setCurrentDetails('The shard did not answer at once; the group goes on trying as a whole.');
  }
  try {
    return await patient.postTransfers(input.shard, input.items);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const trouble = input.items.map(({ id }) => ({ id, error: why }));
    return { completed: 0, rejected: 0, other: 0, trouble };
  }
}

async function splitOut(input: TransferGroupInput, posted: PostedGroup): Promise<void> {
  const byId = new Map<string, TransferItem>(input.items.map((item) => [item.id, item]));
  setCurrentDetails(`${posted.trouble.length} transfers go on in workflows of their own, \`transfer/<id>\`.`);
  for (let from = 0; from < posted.trouble.length; from += SPLIT_AT_ONCE) {
    if (from > 0) await sleep(SPLIT_PAUSE_MS);
    const some = posted.trouble.slice(from, from + SPLIT_AT_ONCE);
    await Promise.all(some.map(({ id }) => startOwnWorkflow(byId.get(id)!, input)));
  }
}

async function startOwnWorkflow(item: TransferItem, input: TransferGroupInput): Promise<void> {
  try {
    await startChild<typeof transfer>('transfer', {
      ...transferStartOptions(item),
      workflowId: transferWorkflowId(item.id),
      taskQueue: TASK_QUEUE,
      args: [{ item, settings: input.settings }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  } catch (error) {
    // The sweep, or another group with the same item, was there first.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
