import { setTimeout as sleep } from 'node:timers/promises';
import { cancelSignal, retrySignal } from '../../contracts/transfers';
import type { TransactionFacts } from '../../ledger/commands';
import type { TestBank } from '../support/bank';
import { eventually } from '../support/eventually';
import type { TestHoldfast } from '../support/holdfast';
import { referenceOf, type Payments } from '../support/payment-runs';
import { after, BOTH, PaymentScene, settledFact } from '../support/payment-scene';

let scene: PaymentScene;
let bank: TestBank;
let holdfast: TestHoldfast;
let payments: Payments;

beforeAll(async () => {
  scene = await PaymentScene.open({ bank: { settleAfterMs: 100 } });
  ({ bank, holdfast, payments } = scene);
});
afterAll(() => scene.close());
beforeEach(() => scene.nextTest());
afterEach(() => payments.areWhole());

const timeline = async (facts: TransactionFacts) => (await payments.statusOf(facts)).timeline.map(({ what }) => what);

describe.each(BOTH)('a %s', (type) => {
  test('tries again at once when it is told `retry`', async () => {
    const facts = await scene.unreachable(type);
    expect(await payments.statusOf(facts)).toMatchObject({ status: 'needs_attention', reason: 'bank_not_answering' });
    await scene.faults();
    await payments.handleOf(facts).signal(retrySignal);
    expect(await payments.ended(facts)).toMatchObject({ status: 'completed' });
    expect(await timeline(facts)).toContain('retry was asked for');
    expect(await holdfast.balance(scene.user)).toBe(after(type));
  });

  test('that is told `retry` again and again gets its answer all the same', async () => {
    const facts = await scene.unreachable(type);
    await scene.faults({ name: 'slow', delayMs: 200 });
    let isOver = false;
    const ended = payments.ended(facts).finally(() => (isOver = true));
    // Quicker than the bank answers; the last may find it ended.
    for (const giveUpAt = Date.now() + 30_000; !isOver && Date.now() < giveUpAt; await sleep(50)) {
      await payments
        .handleOf(facts)
        .signal(retrySignal)
        .catch(() => {});
    }
    expect(isOver).toBe(true);
    expect(await ended).toMatchObject({ status: 'completed' });
  });

  test('that is told `cancel` while the bank is away waits until the bank has voided it', async () => {
    const facts = await scene.unreachable(type);
    await payments.handleOf(facts).signal(cancelSignal);
    await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'voiding' }));
    expect(await holdfast.row(facts.id)).toMatchObject({ status: 'needs_attention' });
    await scene.faults();
    await payments.handleOf(facts).signal(retrySignal);
    expect(await payments.ended(facts)).toMatchObject({ status: 'cancelled', reason: 'cancelled_on_request' });
    expect(await bank.rail.lookUp(referenceOf(facts))).toMatchObject({ state: 'voided' });
    expect(await holdfast.balance(scene.user)).toBe('10.00');
  });

  test('that the bank has, and has not settled, can be cancelled', async () => {
    const facts = await scene.accepted(type);
    expect(await payments.updateCancel(facts)).toBe('cancelled');
    expect(await payments.ended(facts)).toMatchObject({ status: 'cancelled' });
    expect(await bank.rail.lookUp(referenceOf(facts))).toMatchObject({ state: 'voided' });
    expect(await holdfast.balance(scene.user)).toBe('10.00');
  });

  test('that has settled can’t be cancelled, though nobody had heard of it yet', async () => {
    const facts = await payments.under({ pollFirstMs: 600_000 }, () => payments.begin(type, scene.user, 300n));
    await eventually(async () =>
      expect(await bank.rail.lookUp(referenceOf(facts))).toMatchObject({ state: 'settled' }),
    );
    expect(await payments.request(facts)).toMatchObject({ state: 'accepted' });
    expect(await payments.updateCancel(facts)).toBe('too_late');
    expect(await payments.ended(facts)).toMatchObject({ status: 'completed' });
    expect(await timeline(facts)).toContain('the cancel came too late: the bank says settled');
    expect(await holdfast.balance(scene.user)).toBe(after(type));
  });

  test('that has ended says truly how, to a cancel that comes then', async () => {
    const completed = await payments.begin(type, scene.user, 300n);
    await payments.ended(completed);
    expect(await payments.cancel(completed)).toBe('too_late');
    const cancelled = await scene.accepted(type);
    expect([await payments.cancel(cancelled), await payments.cancel(cancelled)]).toEqual(['cancelled', 'cancelled']);
  });

  test('answers each of several cancels, and the Web UI’s cancel takes no answer away', async () => {
    const facts = await scene.unreachable(type);
    const first = payments.updateCancel(facts);
    await payments.handleOf(facts).cancel();
    const second = payments.updateCancel(facts);
    await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'voiding' }));
    await scene.faults();
    await payments.handleOf(facts).signal(retrySignal);
    expect(await Promise.all([first, second])).toEqual(['cancelled', 'cancelled']);
  });

  test('that the bank has refused for now can be cancelled: the next attempt is forbidden', async () => {
    const facts = await payments.begin(type, scene.user, 300n, { start: false });
    const [reference, step] = [referenceOf(facts), referenceOf(facts).split(':')[1]!];
    const { db } = holdfast.shards.shard(0);
    await db
      .insertInto('bank_requests')
      .values({ reference, transaction_id: facts.id, step, attempt: 1, state: 'refused', reason: 'cut_off' })
      .execute();
    await bank.rail.void(reference);
    expect(await payments.cancel(facts)).toBe('cancelled');
    expect(await payments.ended(facts)).toMatchObject({ status: 'cancelled', reason: 'cancelled_on_request' });
    expect(await payments.request(facts)).toMatchObject({ attempt: 2, state: 'voided' });
  });

  test('goes on at the bank’s own word, however seldom it asks', async () => {
    const facts = await scene.accepted(type, { pollFirstMs: 600_000 });
    await payments.news(facts); // of nothing
    expect(await payments.statusOf(facts)).toMatchObject({ status: 'pending' });
    await payments.tell(settledFact(facts));
    expect(await payments.ended(facts)).toMatchObject({ status: 'completed' });
    expect(await holdfast.balance(scene.user)).toBe(after(type));
  });

  test('tells what contradicts its end to people, and changes nothing', async () => {
    const facts = await payments.begin(type, scene.user, 300n);
    await payments.ended(facts);
    const { settlement_id } = (await payments.request(facts))!;
    const same = await payments.tell({ ...settledFact(facts), settlementId: settlement_id! });
    const second = await payments.tell({ ...settledFact(facts), settlementId: 'st_second' });
    await eventually(async () => {
      expect(await payments.inboxItem(same)).toEqual({ status: 'done', reason: null });
      expect(await payments.inboxItem(second)).toEqual({ status: 'needs_attention', reason: 'double_settlement' });
    });
    expect(await holdfast.balance(scene.user)).toBe(after(type));
  });
});
