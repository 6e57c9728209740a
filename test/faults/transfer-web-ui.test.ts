import { randomUUID } from 'node:crypto';
import {
  cancelSignal,
  LANE_TASK_QUEUE,
  retrySignal,
  TASK_QUEUE,
  transferWorkflowId,
  workflowTypes,
} from '../../contracts/transfers';
import type { SweptShard, TransferItem } from '../../contracts/transfers';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { resetToStart } from '../support/reset';
import { statusOf, stuckTransfer, waitingTransfer } from '../support/stuck';
import { Trouble } from '../support/trouble';

let holdfast: TestHoldfast;
let trouble: Trouble;
beforeAll(async () => {
  holdfast = await TestHoldfast.start({ lane: { deadlineMs: 800 } });
  trouble = await Trouble.in(holdfast.database);
});
afterAll(() => holdfast.close());

const sweep = (): Promise<SweptShard[]> =>
  holdfast.outside.client.workflow.execute(workflowTypes.sweep, {
    workflowId: `sweep-${randomUUID()}`,
    taskQueue: TASK_QUEUE,
    args: [holdfast.sweepSettings().input],
  });

/** A group that was started and that nobody could run yet. */
async function waitingGroup(name: string) {
  const [alice, bob] = await holdfast.pair(name);
  await holdfast.stopWorkers([LANE_TASK_QUEUE]);
  const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
  const { status, body } = await holdfast.transfer(alice, name, fields);
  expect(status).toBe(202);
  const { owner_workflow: groupId } = (await holdfast.row(body.id))!;
  expect(groupId).toMatch(/^lane\//);
  return {
    alice,
    id: body.id as string,
    group: holdfast.outside.client.workflow.getHandle(groupId!),
    groupId: groupId!,
  };
}

describe('the Web UI’s cancel', () => {
  test('is the signal cancel to a transfer that waits', async () => {
    const { alice, id } = await waitingTransfer(holdfast, trouble, 'uicancel');
    await holdfast.workflowOf(id).cancel();
    expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'cancelled' });
    expect(await holdfast.read(alice, id)).toMatchObject({ status: 'cancelled', reason: 'cancelled_by_ops' });
    expect(await holdfast.entriesOf(id)).toBe(0);
  });

  test('is the signal cancel to a transfer that still retries', async () => {
    holdfast.transfers.attentionAfterMs = 300_000;
    const { alice, id } = await stuckTransfer(holdfast, trouble, 'uiretrying');
    holdfast.transfers.attentionAfterMs = 1_000;
    await holdfast.workflowOf(id).cancel();
    expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'cancelled' });
    expect(await holdfast.balance(alice)).toBe('100.00');
  });

  test('changes nothing for a group: its transfers end as the books decide', async () => {
    const { alice, id, group } = await waitingGroup('uigroup');
    await group.cancel();
    await holdfast.startWorkers([LANE_TASK_QUEUE]);
    expect(await group.result()).toMatchObject({ completed: 1 });
    expect(await holdfast.read(alice, id)).toMatchObject({ status: 'completed' });
  });
});

describe('the Web UI’s terminate', () => {
  test('of a waiting transfer is undone by the sweep, and retry then completes it once', async () => {
    const { alice, id } = await waitingTransfer(holdfast, trouble, 'uiterminate');
    await holdfast.workflowOf(id).terminate();
    expect(await holdfast.read(alice, id)).toMatchObject({ status: 'needs_attention' });
    expect(await sweep()).toMatchObject([{ restarted: 1 }]);
    expect((await holdfast.workflowOf(id).describe()).status.name).toBe('RUNNING');
    expect(await sweep()).toMatchObject([{ restarted: 0 }]);
    await trouble.isOver(id);
    await holdfast.workflowOf(id).signal(retrySignal);
    expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'completed' });
    expect(await holdfast.entriesOf(id)).toBe(2);
  });

  test('of a group before it ran is made good by the sweep: what was answered 202 completes', async () => {
    const { alice, id, group } = await waitingGroup('uilost');
    await group.terminate();
    await holdfast.startWorkers([LANE_TASK_QUEUE]);
    expect(await sweep()).toMatchObject([{ restarted: 1 }]);
    await holdfast.becomes(alice, id, 'completed');
    expect(await holdfast.entriesOf(id)).toBe(2);
  });
});

describe('the Web UI’s reset', () => {
  test('of a completed transfer finds it done, and moves nothing again', async () => {
    const { alice, id } = await waitingTransfer(holdfast, trouble, 'uireset');
    await trouble.isOver(id);
    await holdfast.workflowOf(id).signal(retrySignal);
    await holdfast.workflowOf(id).result();
    await resetToStart(holdfast, transferWorkflowId(id));
    await eventually(async () => expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'completed' }));
    expect(await holdfast.entriesOf(id)).toBe(2);
    expect(await holdfast.balance(alice)).toBe('95.00');
  });

  test('of a cancelled transfer leaves it cancelled, though it could be posted by now', async () => {
    const { id } = await waitingTransfer(holdfast, trouble, 'uirevive');
    await holdfast.workflowOf(id).signal(cancelSignal);
    await holdfast.workflowOf(id).result();
    await trouble.isOver(id);
    await resetToStart(holdfast, transferWorkflowId(id));
    expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'cancelled' });
    expect(await holdfast.entriesOf(id)).toBe(0);
  });

  test('of a waiting transfer lets it try afresh', async () => {
    const { id } = await waitingTransfer(holdfast, trouble, 'uiafresh');
    await trouble.isOver(id);
    await resetToStart(holdfast, transferWorkflowId(id));
    expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'completed' });
    expect(await holdfast.entriesOf(id)).toBe(2);
  });

  test('of a group that was posted moves nothing again', async () => {
    const { id, group, groupId } = await waitingGroup('uigroupreset');
    await holdfast.startWorkers([LANE_TASK_QUEUE]);
    await group.result();
    await resetToStart(holdfast, groupId);
    expect(await holdfast.outside.client.workflow.getHandle(groupId).result()).toMatchObject({ completed: 1 });
    expect(await holdfast.entriesOf(id)).toBe(2);
  });
});

describe('a transfer’s workflow that can’t do what it was started for', () => {
  const start = (item: TransferItem) =>
    holdfast.outside.client.workflow.start(workflowTypes.transfer, {
      workflowId: transferWorkflowId(item.id),
      taskQueue: TASK_QUEUE,
      args: [{ item, settings: holdfast.transfers }],
    });

  test('ends as failed when its id is another command’s, whose outcome it leaves alone', async () => {
    const [alice, bob] = await holdfast.pair('conflict');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    const { body } = await holdfast.transfer(alice, 'conflict', fields);
    expect(body.status).toBe('completed');
    const row = (await holdfast.row(body.id))!;
    const handle = await start({
      ...{ id: row.id, hash: 'another command', actor: row.actor_id, from: row.from_account, to: row.to_account! },
      ...{ amountMinor: '500', currency: 'SGD' },
    });
    await expect(handle.result()).rejects.toMatchObject({
      cause: { cause: { message: 'The id belongs to another command' } },
    });
    expect(await holdfast.row(row.id)).toEqual(row);
    expect(await holdfast.entriesOf(row.id)).toBe(2);
  });

  test('tries a cancel that can’t be done yet at the slow beat, not in a storm', async () => {
    // No attempt can succeed on a shard that this deployment doesn't have.
    const id = `tx_9_${'a'.repeat(26)}`;
    const item = { id, hash: 'h', actor: 'us_9_a', from: 'ac_9_a', to: 'ac_9_b', amountMinor: '5', currency: 'SGD' };
    const handle = await start(item);
    await eventually(async () => expect(await statusOf(holdfast, id)).toMatchObject({ status: 'needs_attention' }));
    await handle.signal(cancelSignal);
    await eventually(async () =>
      expect(await statusOf(holdfast, id)).toMatchObject({ reason: 'cancel_not_possible_yet' }),
    );
    const { historyLength } = await handle.describe();
    await new Promise((resume) => setTimeout(resume, 1_000));
    expect((await handle.describe()).historyLength - historyLength).toBeLessThan(20);
    await handle.terminate();
  });
});
