import { sql, type Kysely } from 'kysely';
import { earlier, later, readCursor, writeCursor, type Position } from './cursor';
import type { Place, PlacedPage } from './places';
import type { Database } from './schema';
import { beginningOf, boundOf, spanOf, type Bound } from './spans';

export interface AuditSearch extends PlacedPage {
  actor?: string | undefined;
  subject?: string | undefined;
  kind?: string | undefined;
  since?: Date | undefined;
  until?: Date | undefined;
}

export interface AuditRow extends Position {
  at: Date;
  subject_id: string;
  kind: string;
  detail: string;
}

/**
 * A shard's events that name who did it: the index has a few more, whose `by` is a refund's id. Blocks are in the order of
 * time, so a place becomes a position in the chain.
 */
export async function auditEvents(db: Kysely<Database>, shard: number, search: AuditSearch): Promise<AuditRow[]> {
  const { actor, subject, kind, newestFirst, limit } = search;
  const span = await spanOf(db, search);
  const edge = search.after && (await edgeOf(db, shard, search.after, newestFirst));
  const before = edge && newestFirst ? earlier(span.before, edge) : span.before;
  const from = edge && !newestFirst ? later(span.from, edge) : span.from;
  const way = newestFirst ? sql`desc` : sql`asc`;
  const { rows } = await sql<AuditRow>`
    select e.block, e.index, e.at, e.subject_id, e.kind, e.detail
    from events e
    where e.detail like '{"by":%' and e.detail like '{"by":{%'
      and (e.at, e.block, e.index) < (${before.at}::timestamptz, ${before.block}::bigint, ${before.index}::integer)
      and (e.at, e.block, e.index) >= (${from.at}::timestamptz, ${from.block}::bigint, ${from.index}::integer)
      and e.at <= ${before.at}::timestamptz and e.at >= ${from.at}::timestamptz
      ${actor === undefined ? sql`` : sql`and e.detail::jsonb #>> '{by,actor}' = ${actor}`}
      ${subject === undefined ? sql`` : sql`and e.subject_id = ${subject}`}
      ${kind === undefined ? sql`` : sql`and e.kind = ${kind}`}
    order by e.at ${way}, e.block ${way}, e.index ${way} limit ${limit}`.execute(db);
  return rows;
}

export function placeOf(shard: number, { at, block, index }: AuditRow): Place {
  return { at, shard, id: writeCursor({ block, index }) };
}

/** Where this shard's part goes on. At the same moment, shards are in the order of their numbers. */
async function edgeOf(db: Kysely<Database>, shard: number, after: Place, newestFirst: boolean): Promise<Bound> {
  if (shard === after.shard) {
    const { block, index } = readCursor(after.id)!;
    return boundOf(db, { block, index: newestFirst ? index : index + 1 });
  }
  const at = new Date(after.at.getTime() + (shard < after.shard ? 1 : 0));
  return beginningOf(db, at);
}
