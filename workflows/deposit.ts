import type { PaymentInput, Situation } from '../contracts/payments';
import { PaymentRun } from './payment';

/** Collect at the bank, wait for settlement, then credit the wallet; a cancel counts once the bank has voided the request. */
export function deposit(input: PaymentInput): Promise<Situation> {
  return new PaymentRun(input).run();
}
