import { sql, type Kysely } from 'kysely';
import type { TransactionStatus, TransactionType } from '../contracts/statuses';
import type { Database } from '../ledger/schema';
import type { ChannelName } from './channels';
import type { NoticeKind } from './notices';

/** Whoever took a row and then died has it no longer after this; well above the time that sending may take. */
const LEASE_MS = 60_000;

/** A row that is due, with the facts it tells of. */
export interface DueNotice {
  id: string;
  kind: NoticeKind;
  attempts: number;
  happenedAt: Date;
  recipientId: string | null;
  emailSealed: string | null;
  /** A transaction's, or the bank's event's. */
  subjectId: string;
  type: TransactionType | null;
  status: TransactionStatus | null;
  reason: string | null;
  amountMinor: bigint | null;
  currency: string | null;
  owner: string | null;
}

export async function isAnyDue(db: Kysely<Database>, channels: ChannelName[]): Promise<boolean> {
  const { rows } = await sql`
    select from notifications where status = 'due' and channel = any(${channels}) and next_at <= now() limit 1`.execute(
    db,
  );
  return rows.length > 0;
}

/** The rows due for longest. They are this caller's until the lease ends, and count as tried from here on. */
export async function takeDue(db: Kysely<Database>, channel: ChannelName, limit: number): Promise<DueNotice[]> {
  const { rows } = await sql<DueNotice>`
    with taken as (
      update notifications
      set attempts = attempts + 1, next_at = now() + ${LEASE_MS} * interval '1 millisecond'
      where id in (
        select id from notifications where status = 'due' and channel = ${channel} and next_at <= now()
        order by next_at limit ${limit} for update skip locked
      )
      returning *
    )
    select n.id, n.kind, n.attempts, n.created_at as "happenedAt", n.recipient_id as "recipientId",
           n.transaction_id as "subjectId", u.email_sealed as "emailSealed", t.type, t.status,
           coalesce(t.reason, i.reason) as reason, t.amount as "amountMinor", t.currency, t.owner_workflow as owner
    from taken n
    left join transactions t on t.id = n.transaction_id
    left join bank_inbox i on i.event_id = n.transaction_id and n.kind = 'bank_event'
    left join users u on u.id = n.recipient_id
    order by n.created_at, n.id`.execute(db);
  return rows;
}

export interface Attempt {
  id: string;
  status: 'sent' | 'due' | 'given_up';
  error?: string;
  /** When to try again, if it is still due. */
  inMs?: number;
}

export async function settle(db: Kysely<Database>, attempts: Attempt[]): Promise<void> {
  await sql`
    update notifications n
    set status = a.status, last_error = a.error, next_at = now() + a.in_ms * interval '1 millisecond'
    from unnest(${attempts.map(({ id }) => id)}::text[], ${attempts.map(({ status }) => status)}::text[],
                ${attempts.map(({ error }) => error ?? null)}::text[],
                ${attempts.map(({ inMs }) => inMs ?? 0)}::float8[]) as a (id, status, error, in_ms)
    where n.id = a.id and n.status = 'due'`.execute(db);
}
