import { randomUUID } from 'node:crypto';
import type { TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import type { TestHoldfast } from '../support/holdfast';
import { referenceOf, type Payments } from '../support/payment-runs';
import { after, BOTH, PaymentScene, settledFact } from '../support/payment-scene';

let scene: PaymentScene;
let holdfast: TestHoldfast;
let payments: Payments;
let staff: [TestUser, TestUser];

beforeAll(async () => {
  scene = await PaymentScene.open({ bank: { settleAfterMs: 100 } });
  ({ holdfast, payments, staff } = scene);
});
afterAll(() => scene.close());
beforeEach(() => scene.nextTest());
afterEach(() => payments.areWhole());

/** How the house's accounts changed. */
async function changes(work: () => Promise<unknown>) {
  const look = () => Promise.all([payments.house('@bank'), payments.house('@suspense')]);
  const before = await look();
  await work();
  const now = await look();
  return { bank: now[0] - before[0], suspense: now[1] - before[1] };
}

describe.each(BOTH)('two people resolve a %s', (type) => {
  const sign = type === 'deposit' ? -1n : 1n;

  test.each(['completed', 'cancelled'] as const)('of which another amount moved as %s', async (outcome) => {
    const facts = await scene.mismatched(type);
    expect(await payments.updateCancel(facts)).toBe('too_late');
    const changed = await changes(async () => {
      expect(await payments.decide(facts, scene.user, 'resolve', outcome)).toMatchObject({ reason: 'own_request' });
      expect(await payments.decide(facts, staff[0], 'resolve', outcome)).toMatchObject({ state: 'proposed' });
      const again = await payments.decide(facts, staff[0], 'resolve', outcome);
      expect(again).toMatchObject({ kind: 'refused', reason: 'second_person_needed' });
      expect(await holdfast.entriesOf(facts.id)).toBe(0);
      await payments.decide(facts, staff[1], 'resolve', outcome);
      expect(await payments.ended(facts)).toMatchObject({ status: outcome });
    });
    // 3.00 were asked for and 2.99 moved: the house's bank account mirrors the bank to the cent.
    if (outcome === 'completed') expect(changed).toEqual({ bank: sign * 299n, suspense: sign });
    else expect(changed).toEqual({ bank: sign * 299n, suspense: sign * -299n });
    expect(await holdfast.balance(scene.user)).toBe(outcome === 'completed' ? after(type) : '10.00');
  });

  test.each(['completed', 'cancelled'] as const)('of which another currency moved as %s', async (outcome) => {
    const facts = await scene.accepted(type);
    await payments.tell(settledFact(facts, 300n, 'USD'));
    await payments.becomes(facts, 'needs_attention', 'currency_mismatch');
    const changed = await changes(async () => {
      await payments.resolve(facts, staff, outcome);
      expect(await payments.ended(facts)).toMatchObject({ status: outcome });
    });
    expect(changed).toEqual({ bank: 0n, suspense: outcome === 'completed' ? sign * 300n : 0n });
    expect(await holdfast.balance(scene.user)).toBe(outcome === 'completed' ? after(type) : '10.00');
  });

  test.each(['completed', 'cancelled'] as const)('that the bank has not settled as %s', async (outcome) => {
    const facts = await scene.unsettled(type);
    await payments.resolve(facts, staff, outcome);
    expect(await payments.ended(facts)).toMatchObject({ status: outcome });
    expect(await holdfast.balance(scene.user)).toBe(outcome === 'completed' ? after(type) : '10.00');
    if (outcome === 'cancelled') return;
    const returned = { ...settledFact(facts), state: 'refused', reason: 'limit' } as const;
    const item = await payments.tell(returned);
    await eventually(async () =>
      expect(await payments.inboxItem(item)).toEqual({ status: 'needs_attention', reason: 'contradicts_resolution' }),
    );
  });

  test.each(['completed', 'cancelled'] as const)('of which the bank says nothing at all as %s', async (outcome) => {
    const facts = await scene.unreachable(type);
    await payments.resolve(facts, staff, outcome);
    expect(await payments.ended(facts)).toMatchObject({ status: outcome });
    expect(await holdfast.balance(scene.user)).toBe(outcome === 'completed' ? after(type) : '10.00');
  });

  test('but the bank’s word counts, when it comes between the two', async () => {
    const facts = await scene.unsettled(type);
    await payments.decide(facts, staff[0], 'resolve', 'cancelled');
    const { db, poster } = holdfast.shards.shard(0);
    await db
      .updateTable('bank_requests')
      .set({ state: 'settled', amount: 300n, currency: 'SGD', settlement_id: 'st_heard' })
      .where('transaction_id', '=', facts.id)
      .execute();
    // Nobody has taken stock since.
    const id = `de_0_${randomUUID()}`;
    const decision = { decision: 'resolve', outcome: 'cancelled', actorId: staff[1].userId, role: 'ops' } as const;
    await poster.post([{ kind: 'decision', id, transactionId: facts.id, ...decision }]);
    await payments.news(facts);
    expect(await payments.ended(facts)).toMatchObject({ status: 'completed' });
    expect(await holdfast.balance(scene.user)).toBe(after(type));
  });

  test('and a settlement that comes after all is put before people, not booked', async () => {
    const facts = await scene.unsettled(type);
    await payments.resolve(facts, staff, 'cancelled');
    await payments.ended(facts);
    const item = await payments.tell(settledFact(facts));
    await eventually(async () =>
      expect(await payments.inboxItem(item)).toEqual({ status: 'needs_attention', reason: 'contradicts_resolution' }),
    );
    expect(await holdfast.balance(scene.user)).toBe('10.00');
  });
});

test('a payout of another amount that two people took as not done goes back to @suspense when it comes back', async () => {
  const houses = () => Promise.all([payments.house('@bank'), payments.house('@suspense')]);
  const before = await houses();
  const facts = await scene.mismatched('withdrawal');
  await payments.resolve(facts, staff, 'cancelled');
  await payments.ended(facts);
  expect(await houses()).not.toEqual(before);
  const movement = { amountMinor: 299n, currency: 'SGD', settlementId: 'st_return' };
  const returned = { reference: referenceOf(facts), state: 'returned', ...movement } as const;
  for (const item of [await payments.tell(returned), await payments.tell(returned)]) {
    await eventually(async () => expect(await payments.inboxItem(item)).toMatchObject({ status: 'done' }));
  }
  await eventually(async () => expect(await houses()).toEqual(before));
  expect(await holdfast.balance(scene.user)).toBe('10.00');
});
