import { z } from 'zod';
import { ConfigError, integer, oneOf, port, problemsOf, withoutEmpty, type Env } from './settings';
import { databaseUrls, secretList, secretText } from './settings-values';

/** What `holdfast bank`, the simulator, is told from outside. It is another party: it knows nothing of the books. */
export interface BankSettings {
  host: string;
  port: number;
  databaseUrl: string;
  apiKey: string;
  /** The first signs. */
  webhookSecrets: string[];
  webhookUrl: string;
  settleAfterMs: number;
  logLevel: string;
}

const DAY_MS = 86_400_000;

const schema = z.object({
  HOLDFAST_BANK_HOST: z.string().default('127.0.0.1'),
  HOLDFAST_BANK_PORT: port(3100),
  HOLDFAST_BANK_DATABASE_URL: databaseUrls(
    'is missing: give the bank simulator a Postgres database of its own, whose role may make tables there.' +
      ' (Beside the Postgres of `npm start` it has one. With a real bank, set HOLDFAST_BANK_URL, and there is no simulator.)',
  ).refine((urls) => urls.length === 1, 'must be one URL.'),
  HOLDFAST_BANK_API_KEY: secretText(),
  HOLDFAST_BANK_WEBHOOK_SECRETS: secretList(),
  HOLDFAST_BANK_WEBHOOK_URL: z.url('must be the address of the API, like http://api:3000/v1/bank/webhooks.').optional(),
  HOLDFAST_BANK_SETTLE_AFTER_MS: integer({ min: 0, max: DAY_MS, default: 500, unit: 'milliseconds' }),
  LOG_LEVEL: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info'),
  // The API's, which is told what happens.
  PORT: port(3000),
});

export const BANK_VARIABLES = Object.keys(schema.shape);

export function loadBankSettings(env: Env): BankSettings {
  const parsed = schema.safeParse(withoutEmpty(env));
  if (!parsed.success) throw new ConfigError(problemsOf(parsed.error));
  const settings = parsed.data;
  return {
    host: settings.HOLDFAST_BANK_HOST,
    port: settings.HOLDFAST_BANK_PORT,
    databaseUrl: settings.HOLDFAST_BANK_DATABASE_URL[0]!,
    apiKey: settings.HOLDFAST_BANK_API_KEY,
    webhookSecrets: settings.HOLDFAST_BANK_WEBHOOK_SECRETS,
    webhookUrl: settings.HOLDFAST_BANK_WEBHOOK_URL ?? `http://127.0.0.1:${settings.PORT}/v1/bank/webhooks`,
    settleAfterMs: settings.HOLDFAST_BANK_SETTLE_AFTER_MS,
    logLevel: settings.LOG_LEVEL,
  };
}
