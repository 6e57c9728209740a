import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { TASK_QUEUE, workflowTypes, type SweptShard } from '../../contracts/transfers';
import type { TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { Wire } from '../support/wire';

/** Before shard 1's database. By itself a transfer that waits for a person would try again in ten minutes. */
let far: Wire;
let holdfast: TestHoldfast;
let alice: TestUser;
let bob: TestUser;
beforeAll(async () => {
  holdfast = await TestHoldfast.start({
    shards: 2,
    patienceMs: 1_000,
    lane: { deadlineMs: 800 },
    transfers: { groupMaxAgeMs: 1_000 },
    databaseUrl: async ({ appUrl }, shard) => {
      if (shard === 0) return appUrl;
      far = await Wire.to(appUrl);
      return far.urlOf(appUrl);
    },
  });
  [alice, bob] = [await holdfast.personOn(0, 'alice'), await holdfast.personOn(1, 'bob')];
});
afterAll(async () => {
  await holdfast?.close();
  await far?.close();
});

const sweep = (): Promise<SweptShard[]> =>
  holdfast.outside.client.workflow.execute(workflowTypes.sweep, {
    workflowId: `sweep-${randomUUID()}`,
    taskQueue: TASK_QUEUE,
    args: [holdfast.sweepSettings().input],
  });

async function standing() {
  const { body } = await holdfast.api.get(`/v1/wallets/${walletOf(alice)}`, alice.token);
  return { balance: body.balance as string, held: body.held as string };
}

/** Its credit can't be sent, so that its money stays held; then the other shard is there again. */
async function heldTransfer(key: string): Promise<string> {
  far.goAway();
  const fields = { from: walletOf(alice), to: walletOf(bob), amount: '30.00' };
  const { status } = await holdfast.transfer(alice, key, fields);
  expect(status).toBe(202);
  const id = holdfast.idOf(alice, key);
  await holdfast.becomes(alice, id, 'needs_attention', 30_000);
  far.comeBack();
  return id;
}

async function expire(id: string): Promise<void> {
  const owner = new pg.Client({ connectionString: holdfast.databases[0]!.ownerUrl });
  await owner.connect();
  const past = `update holds set expires_at = now() - interval '1 minute' where transaction_id = $1`;
  expect((await owner.query(past, [id])).rowCount).toBe(1);
  await owner.end();
}

test('a hold past its date is not released: the sweep wakes its owner, which captures what the facts allow', async () => {
  const id = await heldTransfer('overdue');
  await sweep();
  expect(await standing()).toEqual({ balance: '100.00', held: '30.00' });
  await expire(id);
  expect(await standing()).toEqual({ balance: '100.00', held: '30.00' });
  await sweep();
  await holdfast.becomes(alice, id, 'completed', 20_000);
  expect(await standing()).toEqual({ balance: '70.00', held: '0.00' });
  expect(await holdfast.balance(bob)).toBe('130.00');
}, 90_000);

test('a hold past its date whose workflow is gone gets one again', async () => {
  const id = await heldTransfer('gone');
  await holdfast.workflowOf(id).terminate();
  await expire(id);
  // A terminated workflow may be called running for a moment.
  await eventually(
    async () => {
      await sweep();
      expect((await holdfast.read(alice, id)).status).toBe('completed');
    },
    { withinMs: 30_000 },
  );
  expect(await standing()).toEqual({ balance: '40.00', held: '0.00' });
}, 90_000);
