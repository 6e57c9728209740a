import { randomUUID } from 'node:crypto';
import { MONTHS_SCHEDULE_ID, MONTHS_WORKFLOW_TYPE } from '../../contracts/months';
import { SNAPSHOTS_SCHEDULE_ID } from '../../contracts/snapshots';
import { TASK_QUEUE } from '../../contracts/transfers';
import { missingMonths } from '../../ledger/months';
import { newestSnapshot } from '../../ledger/snapshots';
import type { prepareMonths } from '../../workflows';
import { eventually } from '../support/eventually';
import { TestHoldfast } from '../support/holdfast';
import { asOwner } from '../support/trouble';

let holdfast: TestHoldfast;
beforeAll(async () => {
  holdfast = await TestHoldfast.start({ shards: 2 });
});
afterAll(() => holdfast?.close());

/** The tables of the last month that is made ahead, on a shard. */
async function lose(shard: number): Promise<string[]> {
  return asOwner(holdfast.databases[shard]!, async (owner) => {
    const { rows } = await owner.query<{ name: string }>(
      `select t || to_char(now() at time zone 'UTC' + interval '2 months', '_YYYY_MM') as name
       from unnest(array['entries', 'events']) t`,
    );
    for (const { name } of rows) await owner.query(`drop table ${name}`);
    return rows.map(({ name }) => name);
  });
}

test('the months ahead are made on every shard', async () => {
  const lost = [await lose(0), await lose(1)];
  const schedule = holdfast.outside.client.schedule.getHandle(MONTHS_SCHEDULE_ID);
  expect((await schedule.describe()).spec.intervals).toMatchObject([{ every: 86_400_000 }]);
  for (const [shard, names] of lost.entries()) {
    expect(await missingMonths(holdfast.shards.shard(shard).db)).toEqual(names);
  }
  await schedule.trigger();
  for (const { db } of holdfast.shards.all) {
    await eventually(async () => expect(await missingMonths(db)).toEqual([]), { withinMs: 30_000 });
  }
});

test('the making of months says what it made, and making again makes nothing', async () => {
  const run = () =>
    holdfast.outside.client.workflow.execute<typeof prepareMonths>(MONTHS_WORKFLOW_TYPE, {
      workflowId: `months-${randomUUID()}`,
      taskQueue: TASK_QUEUE,
      args: [{ shards: 2 }],
    });
  const made = await lose(1);
  expect(await run()).toEqual([
    { shard: 0, made: [] },
    { shard: 1, made },
  ]);
  expect(await run()).toEqual([
    { shard: 0, made: [] },
    { shard: 1, made: [] },
  ]);
});

test('what every account has is written down on every shard', async () => {
  for (const shard of [0, 1]) await holdfast.personOn(shard, `snapshot_${shard}`, '12.50');
  await holdfast.outside.client.schedule.getHandle(SNAPSHOTS_SCHEDULE_ID).trigger();
  for (const { db } of holdfast.shards.all) {
    await eventually(
      async () => {
        const { block } = await db.selectFrom('chain_head').select('block').executeTakeFirstOrThrow();
        expect(await newestSnapshot(db)).toBe(block);
      },
      { withinMs: 30_000 },
    );
    const balances = await db.selectFrom('snapshot_balances').select('balance').orderBy('balance').execute();
    expect(balances).toEqual([{ balance: -1250n }, { balance: 1250n }]);
  }
});
