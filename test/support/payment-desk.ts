import { randomUUID } from 'node:crypto';
import type { TransactionId } from '../../contracts/ids';
import type { TestUser } from './api';
import type { PaymentType, PersonsPart } from './fault-rows';
import { walletOf, type TestHoldfast } from './holdfast';
import { addBankAccount, pay } from './payments';

/** A deposit or withdrawal that is yet to be asked for: its id is known already. */
export interface PlannedPayment {
  id: TransactionId;
  type: PaymentType;
  user: TestUser;
  key: string;
  fields: { wallet: string; amount: string; bankAccount: string };
}

/** Deposits and withdrawals as customers ask for them, and what ops does about them. */
export class PaymentDesk {
  private constructor(
    private readonly holdfast: TestHoldfast,
    private readonly ops: [TestUser, TestUser],
  ) {}

  static async open(holdfast: TestHoldfast): Promise<PaymentDesk> {
    const ops = (name: string) => holdfast.api.newUser(name, { roles: ['ops'] });
    return new PaymentDesk(holdfast, [await ops('ops_one'), await ops('ops_other')]);
  }

  async plan(type: PaymentType, user: TestUser, amount: string): Promise<PlannedPayment> {
    const key = randomUUID();
    const fields = { wallet: walletOf(user), amount, bankAccount: await addBankAccount(this.holdfast.api, user) };
    return { id: this.holdfast.idOf(user, key), type, user, key, fields };
  }

  async begin({ id, type, user, key, fields }: PlannedPayment): Promise<void> {
    const { status, body } = await pay(this.holdfast.api, user, `${type}s`, key, fields);
    expect({ status, id: body.id }).toEqual({ status: 202, id });
  }

  /** By the customer, who is told how it stands. */
  async cancel({ id, user }: PlannedPayment): Promise<void> {
    const { status } = await this.holdfast.api.post(`/v1/transactions/${id}/cancel`, {}, user.token);
    expect([200, 202, 409]).toContain(status);
  }

  async act({ id }: PlannedPayment, part: PersonsPart): Promise<void> {
    if (part === 'retry' || part === 'cancel') return this.decide(id, part, this.ops[0], {});
    const said = { outcome: part === 'resolve as completed' ? 'completed' : 'cancelled', note: 'asked the bank' };
    for (const each of this.ops) await this.decide(id, 'resolve', each, said);
  }

  private async decide(id: TransactionId, what: string, by: TestUser, said: object): Promise<void> {
    const { status } = await this.holdfast.api.post(`/v1/transactions/${id}/${what}`, said, by.token);
    expect([200, 202]).toContain(status);
  }
}
