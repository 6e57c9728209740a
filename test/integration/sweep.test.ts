import { randomUUID } from 'node:crypto';
import { SWEEP_SCHEDULE_ID, TASK_QUEUE, transferWorkflowId, workflowTypes } from '../../contracts/transfers';
import { groupWorkflowId, searchAttributes, type SweepInput, type SweptShard } from '../../contracts/transfers';
import type { Command } from '../../ledger/commands';
import { transactionId } from '../../ledger/identity';
import { ensurePatiently } from '../../worker/ensure';
import type { TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import { SWEEP_EVERY_MS, TestHoldfast, walletOf } from '../support/holdfast';
import { silent } from '../support/people';
import { waitingTransfer } from '../support/stuck';
import { Trouble } from '../support/trouble';

let holdfast: TestHoldfast;
let trouble: Trouble;
beforeAll(async () => {
  holdfast = await TestHoldfast.start({ lane: { deadlineMs: 800 } });
  trouble = await Trouble.in(holdfast.database);
});
afterAll(() => holdfast.close());

const sweep = (change: Partial<SweepInput> = {}): Promise<SweptShard[]> =>
  holdfast.outside.client.workflow.execute(workflowTypes.sweep, {
    workflowId: `sweep-${randomUUID()}`,
    taskQueue: TASK_QUEUE,
    args: [{ ...holdfast.sweepSettings().input, ...change }],
  });

/** A row as a process that died just then leaves it: pending, with an owner that may never have been started. */
async function pend([from, to]: [TestUser, TestUser], key: string, owner: string): Promise<string> {
  const account = async ({ username }: TestUser) =>
    (await holdfast.api.deps.names.resolve({ username, currency: 'SGD' }))!.accountId;
  const facts = {
    ...{ id: transactionId(from.userId, key), type: 'transfer' as const, actorId: from.userId, hash: key },
    ...{ from: await account(from), to: await account(to), amountMinor: 500n, currency: 'SGD' },
  };
  const command: Command = { kind: 'pend', facts, owner };
  expect(await holdfast.shards.shard(0).poster.post([command])).toMatchObject([{ status: 'pending' }]);
  return facts.id;
}

describe('the sweep', () => {
  test('starts again what Postgres calls pending and whose owner Temporal doesn’t know', async () => {
    const pair = await holdfast.pair('unknown');
    const group = groupWorkflowId(randomUUID());
    const ids = [await pend(pair, 'group', group), await pend(pair, 'own', transferWorkflowId('tx_0_gone'))];
    expect(await sweep()).toEqual([{ shard: 0, looked: 2, restarted: 2 }]);
    for (const id of ids) {
      expect(await holdfast.workflowOf(id).result()).toMatchObject({ status: 'completed' });
      expect(await holdfast.entriesOf(id)).toBe(2);
    }
    expect(await holdfast.balance(pair[0])).toBe('90.00');
    expect(await sweep()).toEqual([{ shard: 0, looked: 0, restarted: 0 }]);
  });

  test('starts again what its owner left open when it ended', async () => {
    const [alice, bob] = await holdfast.pair('left');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
    const { body } = await holdfast.transfer(alice, 'left', fields);
    expect(body.status).toBe('completed');
    let groupId: string | undefined;
    await eventually(async () => {
      for await (const found of holdfast.outside.client.workflow.list()) {
        if (found.type === workflowTypes.transferGroup && found.status.name === 'COMPLETED') groupId = found.workflowId;
      }
      expect(groupId).toBeDefined();
    });
    const id = await pend([alice, bob], 'left-2', groupId!);
    expect(await sweep()).toEqual([{ shard: 0, looked: 1, restarted: 1 }]);
    await holdfast.becomes(alice, id, 'completed');
  });

  test('leaves a young row to whoever has just made it', async () => {
    const pair = await holdfast.pair('young');
    const id = await pend(pair, 'young', groupWorkflowId(randomUUID()));
    expect(await sweep({ youngMs: 60_000 })).toEqual([{ shard: 0, looked: 0, restarted: 0 }]);
    expect(await holdfast.read(pair[0], id)).toMatchObject({ status: 'pending' });
    await expect(holdfast.workflowOf(id).describe()).rejects.toThrow(/not found/i);
    expect(await sweep()).toEqual([{ shard: 0, looked: 1, restarted: 1 }]);
    await holdfast.becomes(pair[0], id, 'completed');
  });

  test('leaves a finished row, whatever became of its workflow', async () => {
    const [alice, bob] = await holdfast.pair('finished');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
    const done = await holdfast.transfer(alice, 'finished', fields);
    const refused = await holdfast.transfer(alice, 'finished-2', { ...fields, amount: '500.00' });
    expect([done.status, refused.status]).toEqual([201, 422]);
    expect(await sweep()).toEqual([{ shard: 0, looked: 0, restarted: 0 }]);
  });

  test('leaves one whose owner runs, and one whose ended owner had handed it over', async () => {
    const { alice, bob, id } = await waitingTransfer(holdfast, trouble, 'runs');
    expect(await sweep()).toEqual([{ shard: 0, looked: 1, restarted: 0 }]);
    const { runId } = await holdfast.workflowOf(id).describe();
    const row = (await holdfast.row(id))!;
    const facts = {
      ...{ id, type: 'transfer' as const, actorId: alice.userId, hash: row.command_hash, from: row.from_account },
      ...{ to: row.to_account!, amountMinor: row.amount, currency: 'SGD' },
    };
    await holdfast.shards.shard(0).poster.post([{ kind: 'pend', facts, owner: groupWorkflowId(randomUUID()) }]);
    expect(await sweep()).toEqual([{ shard: 0, looked: 1, restarted: 0 }]);
    expect((await holdfast.workflowOf(id).describe()).runId).toBe(runId);
    await holdfast.workflowOf(id).terminate();
    await trouble.isOver(id);
    expect(await sweep()).toEqual([{ shard: 0, looked: 1, restarted: 1 }]);
    await holdfast.becomes(alice, id, 'completed');
    expect(await holdfast.balance(bob)).toBe('5.00');
  });

  test('gets through more open rows than it reads at once', async () => {
    const pair = await holdfast.pair('many');
    const ids: string[] = [];
    for (let key = 0; key < 201; key++) ids.push(await pend(pair, `many-${key}`, groupWorkflowId('gone')));
    const keys = new Set(ids);
    expect(await sweep()).toEqual([{ shard: 0, looked: 201, restarted: 201 }]);
    await eventually(
      async () => {
        const { db } = holdfast.shards.shard(0);
        const open = await db.selectFrom('transactions').select('id').where('status', '=', 'pending').execute();
        expect(open.filter((row) => keys.has(row.id))).toEqual([]);
      },
      { withinMs: 30_000 },
    );
  });
});

describe('every worker', () => {
  const schedule = () => holdfast.outside.client.schedule.getHandle(SWEEP_SCHEDULE_ID);
  const ensure = () => ensurePatiently(holdfast.temporal, holdfast.schedules(), silent);

  test('makes the sweep’s Schedule, which runs it', async () => {
    const { spec, action } = await schedule().describe();
    expect(spec.intervals).toMatchObject([{ every: SWEEP_EVERY_MS }]);
    expect(action).toMatchObject({ workflowType: workflowTypes.sweep, taskQueue: TASK_QUEUE });
    const pair = await holdfast.pair('scheduled');
    const id = await pend(pair, 'scheduled', groupWorkflowId(randomUUID()));
    await schedule().trigger();
    await holdfast.becomes(pair[0], id, 'completed');
  });

  test('makes the Schedule again when it is gone, and minds nobody else doing so at the same time', async () => {
    await schedule().delete();
    await eventually(async () => expect(schedule().describe()).rejects.toThrow(/not found/i));
    await Promise.all([ensure(), ensure(), ensure()]);
    expect((await schedule().describe()).spec.intervals).toMatchObject([{ every: SWEEP_EVERY_MS }]);
    await ensure();
  });

  test('makes the search attributes that people filter by', async () => {
    const { connection, namespace } = holdfast.temporal;
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(Object.values(searchAttributes)));
  });
});
