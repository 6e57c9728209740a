import type { PaymentInput, Situation } from '../contracts/payments';
import { PaymentRun } from './payment';

/**
 * The money is held before this starts. A second person's approval where that is needed, then the payout, then its
 * settlement, which captures the hold; refused or voided, the hold is released. A payout that comes back days later
 * runs it again, and is undone by a reversal.
 */
export function withdrawal(input: PaymentInput): Promise<Situation> {
  return new PaymentRun(input).run();
}
