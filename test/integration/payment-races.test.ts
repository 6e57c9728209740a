import type { TransactionFacts } from '../../ledger/commands';
import type { CancelAnswer } from '../../contracts/payments';
import { systemAccountId } from '../../contracts/ids';
import type { TestUser } from '../support/api';
import type { TestBank } from '../support/bank';
import type { TestHoldfast } from '../support/holdfast';
import type { AtBank, Payments } from '../support/payment-runs';
import { HASTY, PaymentScene } from '../support/payment-scene';

let scene: PaymentScene;
let bank: TestBank;
let holdfast: TestHoldfast;
let payments: Payments;

beforeAll(async () => {
  // On a slow machine nothing is to need attention.
  scene = await PaymentScene.open({ bankDeadlineMs: 5_000, settings: { ...HASTY, attentionAfterMs: 60_000 } });
  ({ bank, holdfast, payments } = scene);
});
afterAll(() => scene.close());

interface Raced {
  type: AtBank;
  facts: TransactionFacts;
  answer: CancelAnswer;
}

const EACH = 20;

/** A payment, and a cancel that is sent at some moment of its life. */
async function race(type: AtBank, user: TestUser, withinMs: number): Promise<Raced> {
  const facts = await payments.begin(type, user, 100n);
  await new Promise((resume) => setTimeout(resume, Math.random() * withinMs));
  let answer = await payments.cancel(facts);
  // It took longer than a person waits: one asks again.
  while (answer === 'under_way') answer = await payments.cancel(facts);
  return { type, facts, answer };
}

const atBank = async () =>
  (await bank.control.balances()).find(({ currency }) => currency === 'SGD')?.amountMinor ?? 0n;

test.each([
  ['at once', 0, 500],
  ['after 100 ms', 100, 800],
  ['after 300 ms', 300, 1_200],
])(
  'a cancel at any moment, at a bank that settles %s, is answered truly, and bank and books agree',
  async (_when, settleAfterMs, withinMs) => {
    await bank.stop();
    await bank.startAgain({ settleAfterMs });
    const [user] = await holdfast.pair(`race${settleAfterMs}`, '100.00');
    const before = { bank: await atBank(), books: await payments.house('@bank') };

    const types = Array.from({ length: 2 * EACH }, (_, index): AtBank => (index % 2 === 0 ? 'deposit' : 'withdrawal'));
    const raced = await Promise.all(types.map((type) => race(type, user, withinMs)));

    let expected = 10_000n;
    const counts = { cancelled: 0, too_late: 0 };
    for (const { type, facts, answer } of raced) {
      const { status } = await payments.ended(facts);
      expect({ answer, status }).toEqual(
        answer === 'cancelled' ? { answer, status: 'cancelled' } : { answer: 'too_late', status: 'completed' },
      );
      expect(await holdfast.row(facts.id)).toMatchObject({ status });
      const request = (await payments.request(facts))!;
      // Forbidden, it is refused to a send that comes after.
      expect(status === 'completed' ? ['settled'] : ['voided', 'refused']).toContain(request.state);
      const atTheBank = await bank.rail.lookUp(request.reference);
      expect(atTheBank).toMatchObject({ state: status === 'completed' ? 'settled' : 'voided' });
      if (status === 'completed') expected += type === 'deposit' ? 100n : -100n;
      counts[answer as keyof typeof counts] += 1;
    }
    expect(counts.cancelled + counts.too_late).toBe(2 * EACH);

    const { from, to } = raced[1]!.facts;
    expect(to).toBe(systemAccountId(0, '@bank', 'SGD'));
    expect(await payments.balanceOf(from)).toBe(expected);
    expect((await payments.house('@bank')) - before.books).toBe(-((await atBank()) - before.bank));
    await payments.areWhole();
  },
);
