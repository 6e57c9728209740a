import type { Kysely } from 'kysely';
import type { Delivered } from '../contracts/notifications';
import type { Logger } from '../ledger/log';
import type { Database } from '../ledger/schema';
import { Undeliverable, type Channel } from './channels';
import { createWriter, type WorkflowUrl } from './messages';
import { settle, takeDue, type Attempt, type DueNotice } from './outbox';

export interface Notifier {
  channels: readonly Channel[];
  log: Logger;
  /** How often a message is tried before it is given up. */
  maxAttempts: number;
  /** The wait after the first attempt; it doubles with each, up to the longest. */
  firstRetryMs: number;
  /** Where people look at a workflow, if anywhere. */
  workflowUrl: WorkflowUrl;
}

const LONGEST_RETRY_MS = 3_600_000;

/** Sends what is due on every channel; one that doesn't answer keeps no other from sending. */
export async function deliver(db: Kysely<Database>, notifier: Notifier, goesOn: () => boolean): Promise<Delivered> {
  const all = await Promise.all(notifier.channels.map((channel) => deliverOn(channel, db, notifier, goesOn)));
  return {
    sent: all.reduce((sum, { sent }) => sum + sent, 0),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
    givenUp: all.reduce((sum, { givenUp }) => sum + givenUp, 0),
  };
}

async function deliverOn(
  channel: Channel,
  db: Kysely<Database>,
  notifier: Notifier,
  goesOn: () => boolean,
): Promise<Delivered> {
  const delivered: Delivered = { sent: 0, failed: 0, givenUp: 0 };
  const write = createWriter(notifier.workflowUrl);
  const attempt = async (due: DueNotice): Promise<Attempt> => {
    try {
      await channel.send(write(due));
      return { id: due.id, status: 'sent' };
    } catch (error) {
      return afterFailure(due, error, notifier);
    }
  };
  while (goesOn()) {
    const due = await takeDue(db, channel.name, channel.atOnce);
    if (due.length === 0) break;
    const attempts = await Promise.all(due.map(attempt));
    await settle(db, attempts);
    const count = (status: Attempt['status']) => attempts.filter((each) => each.status === status).length;
    delivered.sent += count('sent');
    delivered.failed += count('due');
    delivered.givenUp += count('given_up');
    // Nobody there: the rest keeps its attempts for later.
    if (count('sent') === 0) break;
  }
  return delivered;
}

function afterFailure(due: DueNotice, err: unknown, { maxAttempts, firstRetryMs, log }: Notifier): Attempt {
  const error = err instanceof Error ? err.message : String(err);
  if (err instanceof Undeliverable || due.attempts >= maxAttempts) {
    log.error({ notification: due.id, kind: due.kind, attempts: due.attempts, error }, 'a notification was given up');
    return { id: due.id, status: 'given_up', error };
  }
  return { id: due.id, status: 'due', error, inMs: Math.min(firstRetryMs * 2 ** (due.attempts - 1), LONGEST_RETRY_MS) };
}
