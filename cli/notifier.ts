import type { Logger } from '../ledger/log';
import type { Sealer } from '../ledger/seal';
import { openChannels } from '../notifications';
import type { Notifier } from '../notifications/deliver';
import type { Config } from './config';
import { workflowUrls } from './workflow-urls';

const FIRST_RETRY_MS = 5_000;

/** How a worker tells people what happened. */
export function openNotifier({ notify, temporal }: Config, deps: { log: Logger; sealer: Sealer }): Notifier {
  return {
    channels: openChannels(notify, deps),
    log: deps.log,
    maxAttempts: notify.maxAttempts,
    firstRetryMs: FIRST_RETRY_MS,
    workflowUrl: workflowUrls(temporal),
  };
}
