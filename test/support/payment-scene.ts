import type { NewFault } from '../../bank/simulator/faults';
import type { PaymentSettings } from '../../contracts/payments';
import type { TransactionFacts } from '../../ledger/commands';
import type { TestUser } from './api';
import { TestBank, type TestBankOptions } from './bank';
import { eventually } from './eventually';
import { TestHoldfast } from './holdfast';
import { Payments, referenceOf, type AtBank } from './payment-runs';

/** Patience that ends soon, so that a test needn't wait for it. */
export const HASTY = { attentionAfterMs: 800, slowBeatMs: 1_000, pollFirstMs: 150, pollMaxMs: 300 };

export const BOTH: AtBank[] = ['deposit', 'withdrawal'];

/** The customer's balance once 3.00 have come or gone. */
export const after = (type: TransactionFacts['type']) => (type === 'deposit' ? '13.00' : '7.00');

/** As the bank would tell that a payment has settled. */
export const settledFact = (facts: TransactionFacts, amountMinor = facts.amountMinor, currency = 'SGD') =>
  ({ reference: referenceOf(facts), state: 'settled', amountMinor, currency, settlementId: `st_${facts.id}` }) as const;

/** Payments of 3.00 at a bank whose faults a test sets: a customer with 10.00 for each test, and two of staff. */
export class PaymentScene {
  /** This test's customer. */
  user!: TestUser;
  private users = 0;

  private constructor(
    readonly bank: TestBank,
    readonly holdfast: TestHoldfast,
    readonly payments: Payments,
    readonly staff: [TestUser, TestUser],
  ) {}

  static async open(
    options: { bank?: TestBankOptions; bankDeadlineMs?: number; settings?: Partial<PaymentSettings> } = {},
  ): Promise<PaymentScene> {
    const bank = await TestBank.start(options.bank);
    const holdfast = await TestHoldfast.start({
      rail: bank.hastyRail(options.bankDeadlineMs ?? 400),
      payments: options.settings ?? HASTY,
    });
    const staff: [TestUser, TestUser] = [await holdfast.api.newUser('olivia'), await holdfast.api.newUser('omar')];
    return new PaymentScene(bank, holdfast, new Payments(holdfast), staff);
  }

  async close(): Promise<void> {
    await this.holdfast.close();
    await this.bank.close();
  }

  /** Before each test. */
  async nextTest(): Promise<void> {
    await this.faults();
    [this.user] = await this.holdfast.pair(`user${this.users++}`, '10.00');
  }

  faults(...list: NewFault[]): Promise<void> {
    return this.bank.control.setFaults(list);
  }

  async unreachable(type: AtBank): Promise<TransactionFacts> {
    await this.faults({ name: 'outage' });
    const facts = await this.payments.begin(type, this.user, 300n);
    await this.payments.becomes(facts, 'needs_attention', 'bank_not_answering');
    return facts;
  }

  async accepted(type: AtBank, settings: Partial<PaymentSettings> = {}): Promise<TransactionFacts> {
    const { payments } = this;
    await this.faults({ name: 'never_settles' });
    const facts = await payments.under(settings, () => payments.begin(type, this.user, 300n));
    await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'accepted' }));
    return facts;
  }

  async unsettled(type: AtBank): Promise<TransactionFacts> {
    const facts = await this.accepted(type, { settleWithinMs: 1 });
    await this.payments.becomes(facts, 'needs_attention', 'not_settled');
    return facts;
  }

  async mismatched(type: AtBank): Promise<TransactionFacts> {
    await this.faults({ name: 'amount_mismatch' });
    const facts = await this.payments.begin(type, this.user, 300n);
    await this.payments.becomes(facts, 'needs_attention', 'amount_mismatch');
    return facts;
  }
}
