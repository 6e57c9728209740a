import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { TransactionStatus, TransactionType } from '../contracts/statuses';
import { pageOfShard, type PlacedPage } from './places';
import { SHOWN, type TransactionRow } from './queries';
import type { Database } from './schema';

export interface AttentionSearch extends PlacedPage {
  type?: TransactionType | undefined;
  status?: TransactionStatus | undefined;
  reason?: string | undefined;
  currency?: string | undefined;
  since?: Date | undefined;
  until?: Date | undefined;
}

export type AttentionRow = TransactionRow & {
  owner_workflow: string | null;
  /** When it came to stand as it does, and what was said then; null only where its events are gone. */
  since: Date | null;
  detail: string | null;
};

/** A shard's transactions that wait for a person. */
export async function findAttention(
  db: Kysely<Database>,
  shard: number,
  search: AttentionSearch,
): Promise<AttentionRow[]> {
  const page = pageOfShard(shard, sql`t.created_at`, sql`t.id`, search);
  const { rows } = await sql<AttentionRow>`
    select ${sql.join(SHOWN.map((column) => sql.ref(`t.${column}`)))}, t.owner_workflow, e.at as since, e.detail
    from transactions t
    left join lateral (
      select at, detail from events
      where subject_id = t.id and kind = t.status and at >= t.created_at
      order by at desc, block desc, index desc limit 1) e on true
    where (t.status = 'needs_attention' or t.status = 'awaiting_approval')
      and ${page.where} and ${sql.join(filtersOf(search), sql` and `)}
    ${page.order}`.execute(db);
  return rows;
}

function filtersOf({ type, status, reason, currency, since, until }: AttentionSearch): RawBuilder<unknown>[] {
  return [
    sql`true`,
    type && sql`t.type = ${type}`,
    status && sql`t.status = ${status}`,
    reason && sql`t.reason = ${reason}`,
    currency && sql`t.currency = ${currency}`,
    since && sql`t.created_at >= ${since}`,
    until && sql`t.created_at < ${until}`,
  ].filter((filter) => filter !== undefined && filter !== '');
}
