import { cancelSignal, groupItemsQuery, retrySignal, transferWorkflowId } from '../../contracts/transfers';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { attributesOf, currentDetails, statusOf, stuckTransfer, waitingTransfer } from '../support/stuck';
import { Trouble } from '../support/trouble';

let holdfast: TestHoldfast;
let trouble: Trouble;
beforeAll(async () => {
  holdfast = await TestHoldfast.start({ lane: { deadlineMs: 800 } });
  trouble = await Trouble.in(holdfast.database);
});
afterAll(() => holdfast.close());

describe('a transfer in unexpected trouble', () => {
  test('goes on in a workflow of its own, while its neighbours complete', async () => {
    const [alice, bob] = await holdfast.pair('neighbours');
    const keys = ['one', 'two', 'three', 'four', 'five'];
    const id = holdfast.idOf(alice, 'three');
    await trouble.for(id);
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
    const { body } = await holdfast.bulk(
      alice,
      keys.map((idempotencyKey) => ({ idempotencyKey, ...fields })),
    );
    expect(body.results.map((each: { status: number }) => each.status)).toEqual([201, 201, 202, 201, 201]);
    expect(await holdfast.balance(alice)).toBe('96.00');

    // Its row names the workflow that will end it, from the first.
    expect(await holdfast.row(id)).toMatchObject({ owner_workflow: transferWorkflowId(id) });
    expect((await holdfast.workflowOf(id).describe()).status.name).toBe('RUNNING');
    const events = await holdfast.workflowOf(id).fetchHistory();
    const parent = events.events![0]!.workflowExecutionStartedEventAttributes!.parentWorkflowExecution!.workflowId!;
    const group = holdfast.outside.client.workflow.getHandle(parent);
    expect(await group.result()).toMatchObject({ completed: 4, rejected: 0, splitOut: 1 });
    const items = await group.query(groupItemsQuery);
    expect(items.map((each) => each.status)).toEqual(['posted', 'posted', 'split out', 'posted', 'posted']);
    expect(await currentDetails(holdfast, parent)).toContain('1 transfers go on in workflows of their own');
    await trouble.isOver(id);
  });

  test('waits visibly for a person: in Postgres, in search attributes, in the query and in the details', async () => {
    const { alice, bob, id } = await waitingTransfer(holdfast, trouble, 'visible');
    const shown = await holdfast.read(alice, id);
    expect(shown).toMatchObject({ status: 'needs_attention', reason: 'books_not_answering', completedAt: null });
    expect(shown.timeline.map((each: { event: string }) => each.event)).toEqual(['pending', 'needs_attention']);
    expect(JSON.stringify(shown)).not.toContain('trouble made by a test');
    const ops = await holdfast.api.newUser('visible_ops', { roles: ['ops'] });
    expect(JSON.stringify(await holdfast.read(ops, id))).toContain('trouble made by a test');
    expect((await holdfast.api.get(`/v1/transactions/${id}`, bob.token)).status).toBe(404);

    expect(await holdfast.row(id)).toMatchObject({ owner_workflow: transferWorkflowId(id) });
    await eventually(async () =>
      expect(await attributesOf(holdfast, id)).toEqual([id, 'transfer', 'needs_attention', 'SGD']),
    );
    expect(await statusOf(holdfast, id)).toMatchObject({
      id,
      status: 'needs_attention',
      reason: 'books_not_answering',
      lastError: expect.stringContaining('trouble made by a test'),
    });
    const details = await currentDetails(holdfast, transferWorkflowId(id));
    expect(details).toContain('**needs_attention** (books_not_answering)');
    expect(details).toContain('**Last error:** trouble made by a test');
    expect(details).toContain('Send the signal `retry` to try now, or `cancel` to undo');
    expect(details).toMatch(/^- \S+ started$/m);
    const description = await holdfast.workflowOf(id).describe();
    expect(await description.staticSummary()).toBe('Transfer of 500 minor units SGD');
    await trouble.isOver(id);
  });

  test('completes by the signal retry, once its cause is gone', async () => {
    const { alice, bob, id, key, fields } = await waitingTransfer(holdfast, trouble, 'retried');
    await holdfast.workflowOf(id).signal(retrySignal);
    await eventually(async () => {
      const { timeline } = await statusOf(holdfast, id);
      expect(timeline.filter((each) => each.what.startsWith('needs attention'))).toHaveLength(2);
    });
    expect(await holdfast.read(alice, id)).toMatchObject({ status: 'needs_attention' });

    await trouble.isOver(id);
    await holdfast.workflowOf(id).signal(retrySignal);
    expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'completed' });
    expect(await holdfast.entriesOf(id)).toBe(2);
    expect([await holdfast.balance(alice), await holdfast.balance(bob)]).toEqual(['95.00', '5.00']);
    expect(await attributesOf(holdfast, id)).toEqual([id, 'transfer', 'completed', 'SGD']);
    expect(await statusOf(holdfast, id)).toMatchObject({ status: 'completed' });
    expect(await currentDetails(holdfast, transferWorkflowId(id))).toContain('**completed**');
    const again = await holdfast.transfer(alice, key, fields);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
  });

  test('tries by itself at a slow beat, and completes without anybody once its cause is gone', async () => {
    holdfast.transfers.slowBeatMs = 500;
    const { id } = await waitingTransfer(holdfast, trouble, 'beat');
    holdfast.transfers.slowBeatMs = 600_000;
    await trouble.isOver(id);
    expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'completed' });
    expect(await holdfast.entriesOf(id)).toBe(2);
  });
});

describe('the signal cancel', () => {
  test('ends a waiting transfer with nothing moved, for good', async () => {
    const { alice, id, key, fields } = await waitingTransfer(holdfast, trouble, 'cancelled');
    await holdfast.workflowOf(id).signal(cancelSignal);
    expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'cancelled', reason: 'cancelled_by_ops' });
    await trouble.isOver(id);
    expect(await holdfast.read(alice, id)).toMatchObject({ status: 'cancelled', reason: 'cancelled_by_ops' });
    expect(await attributesOf(holdfast, id)).toEqual([id, 'transfer', 'cancelled', 'SGD']);
    const again = await holdfast.transfer(alice, key, fields);
    expect(again).toMatchObject({ status: 422, body: { transaction: { id, status: 'cancelled' } } });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await holdfast.entriesOf(id)).toBe(0);
    expect(await holdfast.balance(alice)).toBe('100.00');
  });

  test('interrupts the retries of one that nobody was asked about yet', async () => {
    holdfast.transfers.attentionAfterMs = 300_000;
    const { alice, id } = await stuckTransfer(holdfast, trouble, 'interrupted');
    holdfast.transfers.attentionAfterMs = 1_000;
    await holdfast.workflowOf(id).signal(cancelSignal);
    expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'cancelled' });
    expect(await holdfast.balance(alice)).toBe('100.00');
  });

  test('that comes too late leaves the transfer completed, and says so', async () => {
    const { alice, id, key, fields } = await waitingTransfer(holdfast, trouble, 'toolate');
    await trouble.isOver(id);
    // The client asks again, and this time the books take it.
    await eventually(async () => expect((await holdfast.transfer(alice, key, fields)).status).toBe(201));
    await holdfast.workflowOf(id).signal(cancelSignal);
    expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'completed' });
    const { status, timeline } = await statusOf(holdfast, id);
    expect(status).toBe('completed');
    expect(timeline.map((each) => each.what)).toEqual(
      expect.arrayContaining(['the cancel came too late', 'completed']),
    );
    expect(await holdfast.read(alice, id)).toMatchObject({ status: 'completed' });
    expect(await holdfast.entriesOf(id)).toBe(2);
  });
});
