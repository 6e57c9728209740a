import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { BANK_TASK_QUEUE, type BankAccountInput } from '../contracts/payments';

const bank = proxyActivities<Activities>({
  taskQueue: BANK_TASK_QUEUE,
  startToCloseTimeout: '15s',
  scheduleToCloseTimeout: '7 days',
  retry: { initialInterval: '500ms', maximumInterval: '1 minute' },
  summary: 'Ask the bank whether the account is its holder’s',
});

/** Before its first use the bank says whether an account exists and is its holder's. */
export function bankAccount({ id }: BankAccountInput): Promise<string> {
  return bank.checkBankAccount(id);
}
