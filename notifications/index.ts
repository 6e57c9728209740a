import type { Logger } from '../ledger/log';
import type { Sealer } from '../ledger/seal';
import type { Audience, Channel } from './channels';
import { emailChannel, type EmailSettings } from './email-channel';
import { logChannel } from './log-channel';
import { webhookChannel, type WebhookSettings } from './webhook-channel';

export interface ChannelSettings {
  log: 'ops' | 'all' | 'none';
  webhook?: WebhookSettings;
  email?: EmailSettings;
}

const LOG_REACHES: Record<ChannelSettings['log'], Audience[]> = { ops: ['ops'], all: ['ops', 'user'], none: [] };

/** Every channel there are settings for. */
export function openChannels(settings: ChannelSettings, { log, sealer }: { log: Logger; sealer: Sealer }): Channel[] {
  return [
    ...(settings.log === 'none' ? [] : [logChannel(log, LOG_REACHES[settings.log])]),
    ...(settings.webhook ? [webhookChannel(settings.webhook)] : []),
    ...(settings.email ? [emailChannel(settings.email, sealer)] : []),
  ];
}
