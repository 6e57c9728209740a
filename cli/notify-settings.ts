import { z } from 'zod';
import { mistakeOf, type OutgoingRules } from '../notifications/outgoing';
import type { WebhookSettings } from '../notifications/webhook-channel';
import { integer, oneOf, type ConfigProblem } from './settings';
import { secretText } from './settings-values';

export interface NotifyConfig {
  everyMs: number;
  maxAttempts: number;
  /** Whom the log tells of: users' messages may be many. */
  log: 'ops' | 'all' | 'none';
  webhook?: WebhookSettings;
  email?: { smtpUrl: string; from: string; opsAddress?: string };
}

const urlOf = (protocol: RegExp, message: string) => z.url({ protocol, error: message });

export const notifyVariables = {
  // Temporal's schedules count in seconds.
  HOLDFAST_NOTIFY_EVERY_MS: integer({ min: 1_000, max: 3_600_000, default: 5_000, unit: 'milliseconds' }),
  HOLDFAST_NOTIFY_MAX_ATTEMPTS: integer({ min: 1, max: 1_000, default: 30 }),
  HOLDFAST_NOTIFY_LOG: oneOf(['ops', 'all', 'none'], 'ops'),
  HOLDFAST_NOTIFY_WEBHOOK_URL: urlOf(/^https?$/, 'must look like https://example.com/holdfast.').optional(),
  HOLDFAST_NOTIFY_WEBHOOK_SECRET: secretText(' Whoever receives the webhook checks its signature with it.').optional(),
  HOLDFAST_WEBHOOK_ALLOW_PRIVATE: z.enum(['true', 'false'], 'must be true or false.').optional(),
  HOLDFAST_WEBHOOK_PORTS: portList().optional(),
  HOLDFAST_SMTP_URL: urlOf(/^smtps?$/, 'must look like smtps://user:password@mail.example.com.').optional(),
  HOLDFAST_MAIL_FROM: mailAddress('must be an address like Holdfast <wallet@example.com>.').optional(),
  HOLDFAST_OPS_EMAIL: mailAddress('must be an address like ops@example.com.').optional(),
};

function mailAddress(message: string) {
  return z.string().regex(/^([^<>@\r\n]+ <[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/, message);
}

function portList() {
  const message = 'must be ports from 1 to 65535, comma separated.';
  return z
    .string()
    .regex(/^\d{1,5}( *, *\d{1,5})*$/, message)
    .transform((text) => text.split(',').map(Number))
    .refine((ports) => ports.every((port) => port >= 1 && port <= 65_535), message);
}

type Settings = z.infer<z.ZodObject<typeof notifyVariables>> & { HOLDFAST_ENV: 'development' | 'production' };

/** In production nobody is sent where only we can go, unless somebody said so. */
function outgoingRules(settings: Settings): OutgoingRules {
  const isProduction = settings.HOLDFAST_ENV === 'production';
  const { HOLDFAST_WEBHOOK_ALLOW_PRIVATE: allow, HOLDFAST_WEBHOOK_PORTS: given } = settings;
  const ports = given ?? (isProduction ? [443] : undefined);
  return {
    httpsOnly: isProduction,
    allowPrivate: allow === undefined ? !isProduction : allow === 'true',
    ...(ports && { ports }),
  };
}

export function notifyConfig(settings: Settings): NotifyConfig {
  const { HOLDFAST_NOTIFY_WEBHOOK_URL: url, HOLDFAST_NOTIFY_WEBHOOK_SECRET: secret } = settings;
  const { HOLDFAST_SMTP_URL: smtpUrl, HOLDFAST_MAIL_FROM: from, HOLDFAST_OPS_EMAIL: opsAddress } = settings;
  return {
    everyMs: settings.HOLDFAST_NOTIFY_EVERY_MS,
    maxAttempts: settings.HOLDFAST_NOTIFY_MAX_ATTEMPTS,
    log: settings.HOLDFAST_NOTIFY_LOG,
    ...(url && secret && { webhook: { url, secret, rules: outgoingRules(settings) } }),
    ...(smtpUrl && from && { email: { smtpUrl, from, opsAddress } }),
  };
}

/** Half of a channel reaches nobody, and neither does one that may not be reached. */
export function notifyContradictions(settings: Settings): ConfigProblem[] {
  const needs = (variable: keyof Settings, other: keyof Settings): ConfigProblem[] =>
    settings[other] !== undefined && settings[variable] === undefined
      ? [{ variable, message: `is missing, and ${other} is of no use without it.` }]
      : [];
  const { HOLDFAST_NOTIFY_WEBHOOK_URL: url } = settings;
  const mistake = url && mistakeOf(url, outgoingRules(settings));
  return [
    ...(mistake ? [{ variable: 'HOLDFAST_NOTIFY_WEBHOOK_URL', message: `${mistake} (docs/notifications.md).` }] : []),
    ...needs('HOLDFAST_NOTIFY_WEBHOOK_SECRET', 'HOLDFAST_NOTIFY_WEBHOOK_URL'),
    ...needs('HOLDFAST_NOTIFY_WEBHOOK_URL', 'HOLDFAST_NOTIFY_WEBHOOK_SECRET'),
    ...needs('HOLDFAST_MAIL_FROM', 'HOLDFAST_SMTP_URL'),
    ...needs('HOLDFAST_SMTP_URL', 'HOLDFAST_MAIL_FROM'),
    ...needs('HOLDFAST_SMTP_URL', 'HOLDFAST_OPS_EMAIL'),
  ].filter(({ variable }, index, all) => all.findIndex((each) => each.variable === variable) === index);
}
