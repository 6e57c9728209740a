import { newsSignal } from '../../contracts/payments';
import { retrySignal } from '../../contracts/transfers';
import type { TestUser } from '../support/api';
import { TestBank } from '../support/bank';
import { eventually } from '../support/eventually';
import { TestHoldfast } from '../support/holdfast';
import { Payments } from '../support/payment-runs';
import { asOwner, holdChain } from '../support/trouble';

/** More than the tests' Temporal lets a history grow to before it suggests a new run (test/support/global-setup.ts). */
const MANY = 900;

let bank: TestBank;
let holdfast: TestHoldfast;
let payments: Payments;
let user: TestUser;
beforeAll(async () => {
  bank = await TestBank.start();
  holdfast = await TestHoldfast.start({ rail: bank.hastyRail(1_000), payments: { slowBeatMs: 600_000 } });
  payments = new Payments(holdfast);
  [user] = await holdfast.pair('patient', '10.00');
});
afterEach(() => payments.areWhole());
afterAll(async () => {
  await holdfast.close();
  await bank.close();
});

test('a payment whose history grows long waits on as a new run, and ends as any other', async () => {
  await bank.control.setFaults([{ name: 'never_settles' }]);
  const facts = await payments.under({ pollFirstMs: 600_000 }, () => payments.begin('withdrawal', user, 300n));
  await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'accepted' }));
  const handle = payments.handleOf(facts);
  const runId = async () => (await handle.describe()).runId;
  const first = await runId();
  for (let sent = 0; sent < MANY; sent += 100) {
    await Promise.all(Array.from({ length: 100 }, () => handle.signal(newsSignal)));
  }
  await eventually(async () => expect(await runId()).not.toBe(first), { withinMs: 60_000 });
  expect(await payments.statusOf(facts)).toMatchObject({ status: 'pending' });
  expect(await payments.updateCancel(facts)).toBe('cancelled');
  expect(await payments.ended(facts)).toMatchObject({ status: 'cancelled', reason: 'cancelled_on_request' });
  expect(await holdfast.balance(user)).toBe('10.00');
}, 180_000);

test('that a payment has not settled is said again until the books have it', async () => {
  await bank.control.setFaults([{ name: 'never_settles' }]);
  const patience = { settleWithinMs: 1, pollFirstMs: 2_000, pollMaxMs: 500, slowBeatMs: 500 };
  const facts = await payments.under(patience, () => payments.begin('withdrawal', user, 300n));
  await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'accepted' }));
  const letGo = await holdChain(holdfast.databases[0]!);
  const timeline = async () => (await payments.statusOf(facts)).timeline.map(({ what }) => what);
  const untold = 'Postgres could not be told; the next beat tries again';
  await eventually(async () => expect(await timeline()).toContain(untold), { withinMs: 60_000 });
  await letGo();
  await payments.becomes(facts, 'needs_attention', 'not_settled');
  expect(await payments.updateCancel(facts)).toBe('cancelled');
  await payments.ended(facts);
}, 120_000);

test('what the books do not take waits for a person, and goes on once that is mended', async () => {
  await bank.control.setFaults([{ name: 'slow', delayMs: 500 }]);
  const facts = await payments.begin('withdrawal', user, 300n);
  const setHold = (status: string) =>
    asOwner(holdfast.databases[0]!, (owner) =>
      owner.query('update holds set status = $2 where transaction_id = $1', [facts.id, status]),
    );
  await setHold('released');
  await payments.becomes(facts, 'needs_attention', 'books_refused');
  await setHold('held');
  await payments.handleOf(facts).signal(retrySignal);
  expect(await payments.ended(facts)).toMatchObject({ status: 'completed' });
  expect(await holdfast.balance(user)).toBe('7.00');
});
