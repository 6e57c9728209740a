import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { AccountId } from '../contracts/ids';
import { AFTER_ALL, earlier, type Position } from './cursor';
import type { Database } from './schema';

/** A position with the time of its block: of entries and events, only the months that it leaves are looked into. */
export interface Bound extends Position {
  at: Date;
}

/** A part of the books, read newest first. */
export interface Span {
  /** Up to here, which is left out. */
  before: Bound;
  /** Back to here, which is included. */
  from: Bound;
}

const BEGINNING: Bound = { at: new Date(0), block: 0n, index: 0 };
const END: Bound = { at: new Date('9999-12-31'), ...AFTER_ALL };

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
  const [from, until, before] = await Promise.all([
    limits.since && beginningOf(db, limits.since),
    limits.until && beginningOf(db, limits.until),
    limits.cursor && boundOf(db, limits.cursor),
  ]);
  return { before: earlier(before ?? END, until ?? END), from: from ?? BEGINNING };
}

/** Before every block made at that time or later, and after every other one. */
export async function beginningOf(db: Kysely<Database>, at: Date): Promise<Bound> {
  const { rows } = await sql<{ block: bigint }>`select ${firstBlockAt(sql`${at}::timestamptz`)} as block`.execute(db);
  return { at, block: rows[0]!.block, index: 0 };
}

/** With the time of its block; of one that isn't there, of the last before it. */
export async function boundOf(db: Kysely<Database>, { block, index }: Position): Promise<Bound> {
  const found = await db
    .selectFrom('blocks')
    .select('at')
    .where('number', '<=', block)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
  return { at: found?.at ?? BEGINNING.at, block, index };
}

/**
 * In SQL, the first block made at that time or later; the one to come when there is none. Halving the chain takes some
 * twenty look-ups by primary key in a million blocks, and spares an index on time that every post would have to maintain.
 */
export function firstBlockAt(time: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(
    with recursive search (low, high) as (
      select 1::bigint, block + 1 from chain_head
      union all
      select case when old then middle + 1 else low end, case when old then high else middle end
      from (select low, high, (low + high) / 2 as middle from search where low < high) halved,
        lateral (select coalesce((select at < ${time} from blocks where number = middle), true) as old) looked_up
    )
    select low from search where low = high)`;
}

/** A way into the history of an account: a table, and the columns of its index that name account, time, block and index. */
export interface Way {
  table: 'transactions' | 'entries';
  key: readonly [account: string, at: string, block: string, index: string];
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

export const ENTRIES: Way = { table: 'entries', key: ['account_id', 'at', 'block', 'index'] };

/** The newest rows of account `own.id`. */
function newestBy(way: Way, { span, columns = [], filter, limit, skip }: Scan): RawBuilder<unknown> {
  const [, at, block, index] = refsOf(way);
  const shown = [
    sql`${at} as at`,
    sql`${block} as block`,
    sql`${index} as index`,
    ...columns.map((each) => sql.ref(each)),
  ];
  const { within, order } = way.table === 'entries' ? byTime(way, span) : byAccount(way, span);
  return sql`(
    select ${sql.join(shown)} from ${sql.table(way.table)}
    where ${within} ${way.where ? sql`and ${way.where}` : sql``} ${filter ? sql`and ${filter}` : sql``}
    order by ${sql.join(order.map((each) => sql`${each} desc`))} limit ${limit} ${skip ? sql`offset ${skip}` : sql``})`;
}

/**
 * The account is part of the range and of the order, although it is always the same one: so only the account's own index
 * can give that order. Were it merely equal, Postgres would walk back through everybody's history for an account that its
 * statistics call busy, and far if that one has lately been quiet.
 */
function byAccount(way: Way, { before, from }: Span) {
  const [account, , block, index] = refsOf(way);
  const place = ({ block, index }: Bound) => sql`(own.id, ${block}::bigint, ${index}::integer)`;
  const key = sql`(${account}, ${block}, ${index})`;
  return { within: sql`${key} < ${place(before)} and ${key} >= ${place(from)}`, order: [account, block, index] };
}

/**
 * Time comes first, as the months do, so Postgres reads one month after the other and stops where it has enough. Months
 * are left out by comparisons of time alone. No other index of the table may begin with time, for the reason above.
 */
function byTime(way: Way, { before, from }: Span) {
  const [account, at, block, index] = refsOf(way);
  const place = ({ at, block, index }: Bound) => sql`(${at}::timestamptz, ${block}::bigint, ${index}::integer)`;
  const key = sql`(${at}, ${block}, ${index})`;
  return {
    within: sql`${account} = own.id and ${key} < ${place(before)} and ${key} >= ${place(from)}
      and ${at} <= ${before.at}::timestamptz and ${at} >= ${from.at}::timestamptz`,
    order: [at, block, index],
  };
}

type Ref = RawBuilder<unknown>;
const refsOf = ({ key }: Way) => key.map((column) => sql.ref(column)) as [Ref, Ref, Ref, Ref];

/** The span as far back as a filter is looked for: to where the first account and way come to the end of a stretch. */
export async function stretchOf(
  db: Kysely<Database>,
  accounts: readonly AccountId[],
  ways: readonly Way[],
  span: Span,
): Promise<{ span: Span; end: Position | undefined }> {
  const ends = newestRows(accounts, ways, { span, limit: 1, skip: STRETCH - 1 });
  const { rows } = await sql<Bound>`
    select at, block, index from ${ends} order by block desc, index desc limit 1`.execute(db);
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
