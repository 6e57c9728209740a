import { createLog } from '../api/log';
import { startBank } from '../bank/simulator';
import type { BankSettings } from './bank-settings';
import { onStopSignal } from './stop-signal';

/** The bank simulator as a process of its own. */
export async function runBank(settings: BankSettings): Promise<void> {
  const { host, port, databaseUrl, apiKey, webhookSecrets, webhookUrl, settleAfterMs, logLevel } = settings;
  const log = createLog({ level: logLevel, name: 'bank' });
  const webhook = { url: webhookUrl, secret: webhookSecrets[0]! };
  const bank = await startBank({ databaseUrl, host, port, apiKey, webhook, settleAfterMs, log });
  onStopSignal(log, () => bank.stop());
}
