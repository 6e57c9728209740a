import type { Logger } from '../ledger/log';
import type { Audience, Channel } from './channels';

/** A line in the log: what is left when nothing else is configured. */
export function logChannel(log: Logger, reaches: readonly Audience[]): Channel {
  return {
    name: 'log',
    reaches,
    atOnce: 500,
    async send({ id, kind, to, about, subject }) {
      const fields = { notification: id, kind, ...about, ...(to.audience === 'user' && { userId: to.userId }) };
      if (to.audience === 'ops') log.warn(fields, subject);
      else log.info(fields, subject);
    },
    close: () => undefined,
  };
}
