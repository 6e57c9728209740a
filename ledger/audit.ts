import { sql, type Kysely } from 'kysely';
import { earlier, later, readCursor, writeCursor, type Position } from './cursor';
import type { Place, PlacedPage } from './places';
import type { Database } from './schema';
import { firstBlockAt, spanOf } from './spans';

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

/** A shard's events that name who did it. Blocks are in the order of time, so a place becomes a position in the chain. */
export async function auditEvents(db: Kysely<Database>, shard: number, search: AuditSearch): Promise<AuditRow[]> {
  const { actor, subject, kind, newestFirst, limit } = search;
  const span = await spanOf(db, search);
  const edge = search.after && (await edgeOf(db, shard, search.after, newestFirst));
  const before = edge && newestFirst ? earlier(span.before, edge) : span.before;
  const from = edge && !newestFirst ? later(span.from, edge) : span.from;
  const way = newestFirst ? sql`desc` : sql`asc`;
  const { rows } = await sql<AuditRow>`
    select e.block, e.index, b.at, e.subject_id, e.kind, e.detail
    from events e join blocks b on b.number = e.block
    where e.detail like '{"by":%'
      and (e.block, e.index) < (${before.block}::bigint, ${before.index}::integer)
      and (e.block, e.index) >= (${from.block}::bigint, ${from.index}::integer)
      ${actor === undefined ? sql`` : sql`and e.detail::jsonb #>> '{by,actor}' = ${actor}`}
      ${subject === undefined ? sql`` : sql`and e.subject_id = ${subject}`}
      ${kind === undefined ? sql`` : sql`and e.kind = ${kind}`}
    order by e.block ${way}, e.index ${way} limit ${limit}`.execute(db);
  return rows;
}

export function placeOf(shard: number, { at, block, index }: AuditRow): Place {
  return { at, shard, id: writeCursor({ block, index }) };
}

/** Where this shard's part goes on. At the same moment, shards are in the order of their numbers. */
async function edgeOf(db: Kysely<Database>, shard: number, after: Place, newestFirst: boolean): Promise<Position> {
  if (shard === after.shard) {
    const { block, index } = readCursor(after.id)!;
    return { block, index: newestFirst ? index : index + 1 };
  }
  const at = new Date(after.at.getTime() + (shard < after.shard ? 1 : 0));
  return { block: await firstBlockAt(db, at), index: 0 };
}
