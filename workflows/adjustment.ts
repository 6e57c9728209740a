import type { PaymentInput, Situation } from '../contracts/payments';
import { PaymentRun } from './payment';

/** Staff's own correction against `@suspense`: it waits for a second person, and then is booked or ended. */
export function adjustment(input: PaymentInput): Promise<Situation> {
  return new PaymentRun(input).run();
}
