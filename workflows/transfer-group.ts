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
  type GroupPart,
  type PostedGroup,
  type TransferGroupInput,
  type TransferGroupInputBefore,
  type TransferGroupResult,
  type TransferItem,
  type TransferSettings,
} from '../contracts/transfers';
import type { Activities } from '../activities';
import { transferStartOptions } from './start-options';
import type { transfer } from './transfer';

/** Children are started a few at a time, so that a bad moment does not become a storm of workflows. */
const SPLIT_AT_ONCE = 10;
const SPLIT_PAUSE_MS = 200;

/**
 * Many transfers, one durable workflow: each lane's part of the group is posted in one commit. What the group can't finish
 * goes on as `transfer/<id>`, whose start is awaited, so that no item is ever without an owner. Asking for cancellation
 * changes nothing: the group is over in a moment, and each of its transfers ends as the books decide.
 */
export async function transferGroup(
  input: TransferGroupInput | TransferGroupInputBefore,
): Promise<TransferGroupResult> {
  const { settings } = input;
  const parts = 'parts' in input ? input.parts : [input];
  const posted: (PostedGroup | undefined)[] = parts.map(() => undefined);
  setHandler(groupItemsQuery, () => parts.flatMap((part, index) => statusesOf(part, posted[index])));

  return CancellationScope.nonCancellable(async () => {
    await Promise.all(
      parts.map(async (part, index) => {
        const { trouble } = (posted[index] = await post(part, index, settings));
        if (trouble.length > 0) await splitOut(part.items, trouble, settings);
      }),
    );
    const all = sum(posted as PostedGroup[]);
    return { ...all, splitOut: all.trouble.length };
  });
}

function statusesOf({ items }: GroupPart, posted: PostedGroup | undefined): { id: string; status: string }[] {
  const trouble = new Set(posted?.trouble.map((each) => each.id));
  const status = (id: string) => (!posted ? 'posting' : trouble.has(id) ? 'split out' : 'posted');
  return items.map(({ id }) => ({ id, status: status(id) }));
}

function sum(posted: readonly PostedGroup[]): PostedGroup {
  const of = (count: 'completed' | 'rejected' | 'other') => posted.reduce((total, each) => total + each[count], 0);
  const trouble = posted.flatMap((each) => each.trouble);
  return { completed: of('completed'), rejected: of('rejected'), other: of('other'), trouble };
}

async function post({ shard, items }: GroupPart, part: number, settings: TransferSettings): Promise<PostedGroup> {
  // The quick way: in the workflow's own task, well inside its timeout.
  const local = proxyLocalActivities<Activities>({
    startToCloseTimeout: '2s',
    scheduleToCloseTimeout: '2s',
    retry: { maximumAttempts: 1 },
  });
  // The patient way, while the shard is down: the part stays together.
  const patient = proxyActivities<Activities>({
    startToCloseTimeout: '15s',
    scheduleToCloseTimeout: settings.groupMaxAgeMs,
    retry: { initialInterval: '500ms', maximumInterval: '5s' },
  });
  try {
    return await local.postTransfers(shard, items, part);
  } catch {
    setCurrentDetails(`Shard ${shard} did not answer at once; its transfers go on being tried together.`);
  }
  try {
    return await patient.postTransfers(shard, items, part);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const trouble = items.map(({ id }) => ({ id, error: why }));
    return { completed: 0, rejected: 0, other: 0, trouble };
  }
}

async function splitOut(
  items: readonly TransferItem[],
  trouble: PostedGroup['trouble'],
  settings: TransferSettings,
): Promise<void> {
  const byId = new Map<string, TransferItem>(items.map((item) => [item.id, item]));
  setCurrentDetails(`${trouble.length} transfers go on in workflows of their own, \`transfer/<id>\`.`);
  for (let from = 0; from < trouble.length; from += SPLIT_AT_ONCE) {
    if (from > 0) await sleep(SPLIT_PAUSE_MS);
    const some = trouble.slice(from, from + SPLIT_AT_ONCE);
    await Promise.all(some.map(({ id }) => startOwnWorkflow(byId.get(id)!, settings)));
  }
}

async function startOwnWorkflow(item: TransferItem, settings: TransferSettings): Promise<void> {
  try {
    await startChild<typeof transfer>('transfer', {
      ...transferStartOptions(item),
      workflowId: transferWorkflowId(item.id),
      taskQueue: TASK_QUEUE,
      args: [{ item, settings }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  } catch (error) {
    // The sweep, or another group with the same item, was there first.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
