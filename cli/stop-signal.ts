import type { Logger } from '../ledger/log';

/** The first SIGTERM or SIGINT asks for an orderly stop; a second one doesn't wait for it. */
export function onStopSignal(log: Logger, stop: () => Promise<void>): void {
  let asked = false;
  const ask = (signal: NodeJS.Signals) => {
    if (asked) process.exit(1);
    asked = true;
    log.info({ signal }, 'stopping');
    stop().catch((err: unknown) => {
      log.error({ err }, 'the stop was not orderly');
      process.exit(1);
    });
  };
  process.on('SIGTERM', ask);
  process.on('SIGINT', ask);
}
