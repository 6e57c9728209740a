import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';
import type { CreditInput } from '../contracts/payments';

const quick = proxyLocalActivities<Activities>({
  startToCloseTimeout: '2s',
  scheduleToCloseTimeout: '2s',
  retry: { maximumAttempts: 1 },
});
/** The money is at the bank: this never gives up. */
const patient = proxyActivities<Activities>({
  startToCloseTimeout: '15s',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/** Money that somebody paid into a virtual account: one deposit, however often the bank tells of it. */
export async function credit({ shard, eventId }: CreditInput): Promise<string> {
  return quick.bookCredit(shard, eventId).catch(() => patient.bookCredit(shard, eventId));
}
