import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { AccountId } from '../contracts/ids';
import { AFTER_ALL, earlier, type Position } from './cursor';
import type { Database } from './schema';

/** A part of the books, read newest first. */
export interface Span {
  /** Up to here, which is left out. */
  before: Position;
  /** Back to here, which is included. */
  from: Position;
}

export interface Page<Row> {
  rows: Row[];
  /** Where the next page begins, or undefined at the end. */
  next: Position | undefined;
}

/**
 * No index serves every filter. A page of filtered history is therefore looked for in so many rows of each account at
 * most; what it then found, even nothing, is the page, and its cursor goes on from there. So no request reads more,
 * however long the history and however rare what is looked for.
 */
export const STRETCH = 5_000;

/** From a cursor on, and between two times: blocks are in the order of time, so times become positions. */
export async function spanOf(
  db: Kysely<Database>,
  limits: { cursor?: Position | undefined; since?: Date | undefined; until?: Date | undefined },
): Promise<Span> {
  const [first, last] = await Promise.all([
    limits.since && firstBlockAt(db, limits.since),
    limits.until && firstBlockAt(db, limits.until),
  ]);
  const before = limits.cursor ?? AFTER_ALL;
  return {
    before: last === undefined ? before : earlier(before, { block: last, index: 0 }),
    from: { block: first ?? 0n, index: 0 },
  };
}

/**
 * The first block made at that time or later; the one to come when there is none. Halving the chain takes some twenty
 * look-ups by primary key in a million blocks, and spares an index on time that every post would have to maintain.
 */
export async function firstBlockAt(db: Kysely<Database>, time: Date): Promise<bigint> {
  const { rows } = await sql<{ low: bigint }>`
    with recursive search (low, high) as (
      select 1::bigint, block + 1 from chain_head
      union all
      select case when old then middle + 1 else low end, case when old then high else middle end
      from (select low, high, (low + high) / 2 as middle from search where low < high) halved,
        lateral (select coalesce((select at < ${time} from blocks where number = middle), true) as old) looked_up
    )
    select low from search where low = high`.execute(db);
  return rows[0]!.low;
}

/** A way into the history of an account: a table, and the columns of an index on account, block and index. */
export interface Way {
  table: 'transactions' | 'entries';
  key: readonly [account: string, block: string, index: string];
  /** What the index is limited to, and what never belongs to this history. */
  where?: RawBuilder<unknown>;
}

export interface Scan {
  span: Span;
  columns?: readonly string[];
  filter?: RawBuilder<unknown>;
  /** How many rows of each account and way. */
  limit: number;
  skip?: number;
}

/** The newest rows of each of the accounts by each of the ways, as a table to select from. */
export function newestRows(accounts: readonly AccountId[], ways: readonly Way[], scan: Scan): RawBuilder<unknown> {
  const found = ways.map((way) => newestBy(way, scan));
  return sql`unnest(${accounts}::text[]) as own (id), lateral (${sql.join(found, sql` union all `)}) as found`;
}

/**
 * The newest rows of account `own.id`. The account is part of the range and of the order, although it is always the
 * same one: so only the account's own index can give that order. Were it merely equal, Postgres would walk back through
 * everybody's history for an account that its statistics call busy, and far if that one has lately been quiet.
 */
function newestBy({ table, key, where }: Way, { span, columns = [], filter, limit, skip }: Scan): RawBuilder<unknown> {
  const [account, block, index] = key.map((column) => sql.ref(column)) as [Ref, Ref, Ref];
  const at = (position: Position) => sql`(own.id, ${position.block}::bigint, ${position.index}::integer)`;
  const shown = [sql`${block} as block`, sql`${index} as index`, ...columns.map((column) => sql.ref(column))];
  return sql`(
    select ${sql.join(shown)} from ${sql.table(table)}
    where (${account}, ${block}, ${index}) < ${at(span.before)} and (${account}, ${block}, ${index}) >= ${at(span.from)}
      ${where ? sql`and ${where}` : sql``} ${filter ? sql`and ${filter}` : sql``}
    order by ${account} desc, ${block} desc, ${index} desc limit ${limit} ${skip ? sql`offset ${skip}` : sql``})`;
}
type Ref = RawBuilder<unknown>;

/** The span as far back as a filter is looked for: to where the first account and way come to the end of a stretch. */
export async function stretchOf(
  db: Kysely<Database>,
  accounts: readonly AccountId[],
  ways: readonly Way[],
  span: Span,
): Promise<{ span: Span; end: Position | undefined }> {
  const ends = newestRows(accounts, ways, { span, limit: 1, skip: STRETCH - 1 });
  const { rows } = await sql<Position>`
    select block, index from ${ends} order by block desc, index desc limit 1`.execute(db);
  const end = rows[0];
  return { span: end ? { ...span, from: end } : span, end };
}

/** The page that rows make, given one more than it may hold; when they are fewer, it goes on at the stretch's end. */
export function pageOf<Row extends Position>(found: Row[], limit: number, end: Position | undefined): Page<Row> {
  if (found.length <= limit) return { rows: found, next: end };
  const rows = found.slice(0, limit);
  const { block, index } = rows.at(-1)!;
  return { rows, next: { block, index } };
}
