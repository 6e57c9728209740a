import { randomUUID } from 'node:crypto';
import {
  cancelSignal,
  groupWorkflowId,
  LANE_TASK_QUEUE,
  retrySignal,
  TASK_QUEUE,
  transferWorkflowId,
  workflowTypes,
} from '../../contracts/transfers';
import { MONTHS_WORKFLOW_TYPE } from '../../contracts/months';
import { NOTIFY_WORKFLOW_TYPE } from '../../contracts/notifications';
import { ROTATE_WORKFLOW_ID, ROTATE_WORKFLOW_TYPE } from '../../contracts/keys';
import { SNAPSHOTS_WORKFLOW_TYPE } from '../../contracts/snapshots';
import type { TestUser } from './api';
import { writeHistory } from './history-json';
import { walletOf, type TestHoldfast } from './holdfast';
import { stuckTransfer, waitingTransfer } from './stuck';
import { holdChain, type Trouble } from './trouble';

/**
 * One run of each way a workflow of ours can go, as Temporal recorded it, by name. Those under test/histories/ are what
 * earlier versions of the workflows did: current code must still be able to go on from each. To add those of today:
 *
 *     HOLDFAST_RECORD_HISTORIES=1 npx jest histories
 *
 * writes the ones that have no file yet. Remove a file first to record it again, which gives up on runs like it that
 * are still open somewhere.
 */
export async function recordHistories(holdfast: TestHoldfast, trouble: Trouble): Promise<Record<string, string>> {
  return {
    'group-straight-through': await straightThrough(holdfast),
    'group-with-fallback': await withFallback(holdfast),
    'group-of-two-lanes': await ofTwoLanes(holdfast),
    ...(await splitOutThenRetried(holdfast, trouble)),
    'transfer-cancelled': await cancelled(holdfast, trouble),
    'transfer-cancelled-while-retrying': await cancelledWhileRetrying(holdfast, trouble),
    'transfer-cancel-too-late': await cancelTooLate(holdfast, trouble),
    sweep: await swept(holdfast),
    'prepare-months': await prepared(holdfast),
    'write-snapshots': await snapshotted(holdfast),
    'rotate-keys': await rotated(holdfast),
    ...(await notified(holdfast)),
  };
}

async function straightThrough(holdfast: TestHoldfast): Promise<string> {
  const { body } = await transfer(holdfast, await holdfast.pair('recorded_straight'), 'straight');
  expect(body.status).toBe('completed');
  return historyOf(holdfast, await groupOf(holdfast, body.id));
}

async function ofTwoLanes(holdfast: TestHoldfast): Promise<string> {
  const workflowId = groupWorkflowId(randomUUID());
  const parts = [0, 0].map((shard) => ({ shard, items: [] }));
  const args = [{ parts, settings: holdfast.transfers }];
  const options = { workflowId, taskQueue: LANE_TASK_QUEUE, args };
  await holdfast.outside.client.workflow.start(workflowTypes.transferGroup, options);
  return historyOf(holdfast, workflowId);
}

/** The local activity runs out of time, and the ordinary one posts. */
async function withFallback(holdfast: TestHoldfast): Promise<string> {
  const pair = await holdfast.pair('recorded_fallback');
  const letGo = await holdChain(holdfast.database);
  const asked = transfer(holdfast, pair, 'fallback');
  await new Promise((resume) => setTimeout(resume, 2_800));
  await letGo();
  const { body } = await asked;
  return historyOf(holdfast, await groupOf(holdfast, body.id));
}

async function splitOutThenRetried(holdfast: TestHoldfast, trouble: Trouble): Promise<Record<string, string>> {
  const { id } = await waitingTransfer(holdfast, trouble, 'recorded_retry');
  await trouble.isOver(id);
  await holdfast.workflowOf(id).signal(retrySignal);
  const own = await historyOf(holdfast, transferWorkflowId(id));
  const parent = /"parentWorkflowExecution":\s*\{\s*"workflowId":\s*"([^"]+)"/.exec(own)![1]!;
  return { 'group-splitting-out': await historyOf(holdfast, parent), 'transfer-attention-then-retry': own };
}

async function cancelled(holdfast: TestHoldfast, trouble: Trouble): Promise<string> {
  const { id } = await waitingTransfer(holdfast, trouble, 'recorded_cancel');
  await holdfast.workflowOf(id).signal(cancelSignal);
  return historyOf(holdfast, transferWorkflowId(id));
}

async function cancelledWhileRetrying(holdfast: TestHoldfast, trouble: Trouble): Promise<string> {
  const before = holdfast.transfers.attentionAfterMs;
  holdfast.transfers.attentionAfterMs = 300_000;
  const { id } = await stuckTransfer(holdfast, trouble, 'recorded_cancel_early');
  holdfast.transfers.attentionAfterMs = before;
  await holdfast.workflowOf(id).cancel();
  return historyOf(holdfast, transferWorkflowId(id));
}

async function cancelTooLate(holdfast: TestHoldfast, trouble: Trouble): Promise<string> {
  const { id } = await waitingTransfer(holdfast, trouble, 'recorded_too_late');
  await trouble.isOver(id);
  const row = (await holdfast.row(id))!;
  const facts = {
    ...{ id, type: 'transfer' as const, actorId: row.actor_id, hash: row.command_hash, from: row.from_account },
    ...{ to: row.to_account!, amountMinor: row.amount, currency: row.currency },
  };
  await holdfast.shards.shard(0).poster.post([{ kind: 'transfer', facts }]);
  await holdfast.workflowOf(id).signal(cancelSignal);
  return historyOf(holdfast, transferWorkflowId(id));
}

async function prepared(holdfast: TestHoldfast): Promise<string> {
  const workflowId = `months-${randomUUID()}`;
  const args = [{ shards: 1 }];
  await holdfast.outside.client.workflow.start(MONTHS_WORKFLOW_TYPE, { workflowId, taskQueue: TASK_QUEUE, args });
  return historyOf(holdfast, workflowId);
}

async function snapshotted(holdfast: TestHoldfast): Promise<string> {
  const workflowId = `snapshots-${randomUUID()}`;
  const args = [{ shards: 1 }];
  await holdfast.outside.client.workflow.start(SNAPSHOTS_WORKFLOW_TYPE, { workflowId, taskQueue: TASK_QUEUE, args });
  return historyOf(holdfast, workflowId);
}

async function rotated(holdfast: TestHoldfast): Promise<string> {
  const options = { workflowId: ROTATE_WORKFLOW_ID, taskQueue: TASK_QUEUE };
  const args = [{ shards: 1, newDataKeys: true, pauseMs: 10 }];
  await holdfast.outside.client.workflow.start(ROTATE_WORKFLOW_TYPE, { ...options, args });
  return historyOf(holdfast, ROTATE_WORKFLOW_ID);
}

async function swept(holdfast: TestHoldfast): Promise<string> {
  const workflowId = `sweep-${randomUUID()}`;
  const args = [holdfast.sweepSettings().input];
  await holdfast.outside.client.workflow.start(workflowTypes.sweep, { workflowId, taskQueue: TASK_QUEUE, args });
  return historyOf(holdfast, workflowId);
}

/** With nothing to tell, and with something. */
async function notified(holdfast: TestHoldfast): Promise<Record<string, string>> {
  const run = async () => {
    const workflowId = `notify-${randomUUID()}`;
    const args = [{ shards: 1 }];
    await holdfast.outside.client.workflow.start(NOTIFY_WORKFLOW_TYPE, { workflowId, taskQueue: TASK_QUEUE, args });
    return historyOf(holdfast, workflowId);
  };
  const idle = await run();
  await transfer(holdfast, await holdfast.pair('recorded_notify'), 'notify');
  return { 'notify-idle': idle, 'notify-telling': await run() };
}

async function transfer(holdfast: TestHoldfast, [alice, bob]: [TestUser, TestUser], key: string) {
  const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00', message: 'a private message' };
  return holdfast.transfer(alice, key, fields);
}

/** The group that took a transfer: its input names it. */
async function groupOf(holdfast: TestHoldfast, id: string): Promise<string> {
  for await (const { workflowId, type } of holdfast.outside.client.workflow.list()) {
    if (type !== workflowTypes.transferGroup) continue;
    if (decoded(await holdfast.outside.client.workflow.getHandle(workflowId).fetchHistory()).includes(id)) {
      return workflowId;
    }
  }
  throw new Error(`No group has ${id}`);
}

/** What Temporal recorded of a workflow that has ended. */
export async function historyOf(holdfast: TestHoldfast, workflowId: string): Promise<string> {
  const handle = holdfast.outside.client.workflow.getHandle(workflowId);
  await handle.result();
  // Which machine recorded it matters to nobody.
  return writeHistory(await handle.fetchHistory())
    .replaceAll(/"identity":\s*"[^"]*"/g, '"identity": "recorder"')
    .replaceAll(/"name":\s*"[0-9]+@[^"]*"/g, '"name": "recorder"');
}

/** Everything in a history as text, payloads included. */
export function decoded(history: unknown): string {
  const texts: string[] = [];
  const walk = (value: unknown): void => {
    if (value instanceof Uint8Array) texts.push(Buffer.from(value).toString());
    else if (typeof value === 'string') texts.push(value);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
  };
  walk(history);
  return texts.join('\n');
}
