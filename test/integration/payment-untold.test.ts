import { randomUUID } from 'node:crypto';
import type { DecisionKind } from '../../contracts/statuses';
import { TestBank } from '../support/bank';
import { eventually } from '../support/eventually';
import { TestHoldfast } from '../support/holdfast';
import { PaymentDesk } from '../support/payment-desk';
import { Payments } from '../support/payment-runs';
import { Wire } from '../support/wire';

let bank: TestBank;
let holdfast: TestHoldfast;
let desk: PaymentDesk;
let postgres: Wire;

beforeAll(async () => {
  bank = await TestBank.start();
  const payments = { slowBeatMs: 500, pollFirstMs: 200, pollMaxMs: 500, attentionAfterMs: 20_000 };
  const databaseUrl = async ({ appUrl }: { appUrl: string }) => (postgres = await Wire.to(appUrl)).urlOf(appUrl);
  holdfast = await TestHoldfast.start({ rail: bank.rail, payments, databaseUrl });
  desk = await PaymentDesk.open(holdfast);
});
afterAll(async () => {
  await holdfast.close();
  await postgres.close();
  await bank.close();
});

/** As an API that dies, or finds no Temporal, right after the books have it: the workflow is told nothing. */
async function decideUntold(transactionId: string, decision: DecisionKind): Promise<void> {
  const made = {
    kind: 'decision',
    id: randomUUID(),
    actorId: 'us_0_ops',
    role: 'ops',
    transactionId,
    decision,
  } as const;
  const [outcome] = await holdfast.shards.shard(0).poster.post([made]);
  expect(outcome).toMatchObject({ kind: 'decision', state: 'final' });
}

test('an approval that its workflow was not told of is found', async () => {
  const [user] = await holdfast.pair('untold_approval', '20000.00');
  const payment = await desk.plan('withdrawal', user, '15000.00');
  await desk.begin(payment);
  await holdfast.becomes(user, payment.id, 'awaiting_approval');
  await decideUntold(payment.id, 'approve');
  await holdfast.becomes(user, payment.id, 'completed', 30_000);
});

test('a cancel that its workflow was not told of is found', async () => {
  const [user] = await holdfast.pair('untold_cancel', '20.00');
  await bank.control.setFaults([{ name: 'never_settles' }]);
  const payment = await desk.plan('withdrawal', user, '15.00');
  await desk.begin(payment);
  await decideUntold(payment.id, 'cancel');
  const cancelled = await holdfast.becomes(user, payment.id, 'cancelled', 30_000);
  expect(cancelled).toMatchObject({ reason: 'cancelled_on_request' });
  expect(await holdfast.balance(user)).toBe('20.00');
});

test('while its shard is away a payment takes nothing from what the bank may be asked, and then goes on', async () => {
  const [user] = await holdfast.pair('shard_away', '20.00');
  await bank.control.setFaults([{ name: 'never_settles' }]);
  const payment = await desk.plan('withdrawal', user, '15.00');
  const patience = { attentionAfterMs: 600_000, pollFirstMs: 3_000 };
  const payments = new Payments(holdfast);
  await payments.under(patience, () => desk.begin(payment));
  await payments.isAtRest(payment);
  const underWay = async () =>
    (await payments.handleOf(payment).describe()).raw.pendingActivities?.map(({ activityType }) => activityType?.name);

  postgres.goAway();
  await eventually(async () => expect(await underWay()).toEqual(['takeStock']), { withinMs: 40_000 });
  postgres.comeBack();
  await eventually(() => desk.cancel(payment), { withinMs: 20_000 });
  await holdfast.becomes(user, payment.id, 'cancelled', 30_000);
});
