import { sign, SIGNATURE_HEADER } from '../signature';
import type { Pool } from './database';
import type { Faults } from './faults';
import type { Log } from './log';
import type { RunEnd } from './loop';

export interface WebhookSettings {
  url: string;
  secret: string;
  /** The first pause after a failed delivery; it doubles up to the longest. */
  firstRetryMs?: number;
  longestRetryMs?: number;
}

const MOST_EVENTS = 50;
const IDLE_MS = 60_000;
const TIMEOUT_MS = 10_000;

interface OutboxRow {
  seq: bigint;
  subject: string;
  event: string;
  attempts: number;
  doubled: boolean;
  alone: boolean;
  due_in_ms: number;
}

/** Delivers what is due, up to fifty events in one webhook, until the receiver has taken each. */
export class Webhooks {
  private readonly stopping = new AbortController();

  constructor(
    private readonly pool: Pool,
    private readonly faults: Faults,
    private readonly settings: WebhookSettings,
    private readonly log: Log,
  ) {}

  /** A delivery under way is broken off: it stays due. */
  stop(): void {
    this.stopping.abort();
  }

  /** One delivery, if one is due. */
  async deliver(): Promise<RunEnd> {
    return { isBehind: false, nextInMs: await this.deliverOnce() };
  }

  private async deliverOnce(): Promise<number> {
    if (this.stopping.signal.aborted) return IDLE_MS;
    const { rows } = await this.pool.query<OutboxRow>({
      name: 'outbox-due',
      text: `select seq, subject, event, attempts, doubled, alone,
               (extract(epoch from due_at - clock_timestamp()) * 1000)::float8 as due_in_ms
             from outbox order by due_at, seq limit $1`,
      values: [MOST_EVENTS],
    });
    const first = rows[0];
    if (first === undefined) return IDLE_MS;
    if (first.due_in_ms > 0) return Math.ceil(first.due_in_ms);
    const due = rows.filter((row) => row.due_in_ms <= 0);
    const batch = first.alone ? [first] : due.filter((row) => !row.alone);
    const failure = await this.post(batch);
    if (this.stopping.signal.aborted && failure !== undefined) return IDLE_MS;
    if (failure === undefined) await this.taken(batch);
    else await this.retry(batch, failure);
    return 0;
  }

  /** Undefined when it was taken. */
  private async post(batch: OutboxRow[]): Promise<{ status?: number } | undefined> {
    const events = batch.flatMap(({ event, doubled }) => (doubled ? [event, event] : [event]));
    const body = `{"events":[${events.join(',')}]}`;
    const wrong = this.faults.hitThisTime('webhook_wrongly_signed', { key: batch[0]!.subject });
    const secret = wrong ? 'not the secret' : this.settings.secret;
    try {
      const answer = await fetch(this.settings.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', [SIGNATURE_HEADER.toLowerCase()]: sign(secret, body) },
        body,
        redirect: 'manual',
        signal: AbortSignal.any([this.stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      await answer.arrayBuffer(); // read to its end, so that the connection serves again
      return answer.ok ? undefined : { status: answer.status };
    } catch {
      return {};
    }
  }

  private async taken(batch: OutboxRow[]): Promise<void> {
    await this.pool.query({
      name: 'outbox-taken',
      text: `with again as (
               update outbox set deliveries = deliveries - 1, doubled = false
               where seq = any ($1) and deliveries > 1 returning seq
             )
             delete from outbox where seq = any ($1) and deliveries <= 1`,
      values: [batch.map(({ seq }) => seq)],
    });
    this.log.info({ events: batch.length }, 'webhook delivered');
  }

  /**
   * Who refuses a delivery may do so for one event in it: each then goes by itself, and holds up no other.
   */
  private async retry(batch: OutboxRow[], { status }: { status?: number }): Promise<void> {
    const { firstRetryMs = 250, longestRetryMs = 30_000 } = this.settings;
    const refused = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
    await this.pool.query(
      `update outbox set attempts = attempts + 1, alone = alone or $4,
         due_at = clock_timestamp() + least($2::float8 * power(2, least(attempts, 20)), $3) * interval '1 ms'
       where seq = any ($1)`,
      [batch.map(({ seq }) => seq), firstRetryMs, longestRetryMs, refused],
    );
    this.log.warn({ events: batch.length, status, attempts: batch[0]!.attempts + 1 }, 'webhook not taken');
  }
}
