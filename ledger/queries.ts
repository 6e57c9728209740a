import { sql, type Kysely, type RawBuilder, type Selectable } from 'kysely';
import type { AccountId, TransactionId, UserId } from '../contracts/ids';
import type { TransactionStatus, TransactionType } from '../contracts/statuses';
import { AFTER_ALL, earlier, type Position } from './cursor';
import type { Database } from './schema';

/** A stretch of the books, read newest first. */
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

const SHOWN = [
  'id',
  'type',
  'status',
  'from_account',
  'to_account',
  'to_name_sealed',
  'amount',
  'currency',
  'message_sealed',
  'reason',
  'created_at',
  'completed_at',
] as const;

type TransactionColumns = Selectable<Database['transactions']>;
export type TransactionRow = Pick<TransactionColumns, (typeof SHOWN)[number]>;

export type EntryRow = Selectable<Database['entries']> &
  Pick<TransactionColumns, 'type' | 'from_account' | 'to_account' | 'to_name_sealed' | 'message_sealed'> & { at: Date };

export interface TimelineRow {
  at: Date;
  kind: string;
  detail: string;
}

/**
 * No index serves every filter. A page of filtered history is therefore looked for in so many rows of each account at
 * most; what it then found, even nothing, is the page, and its cursor goes on from there. So no request reads more,
 * however long the history and however rare what is looked for.
 */
const STRETCH = 5_000;
/** A timeline is short; one that isn't must not become a page without end. */
const MAX_TIMELINE = 500;

const none = sql``;

export async function ownAccounts(db: Kysely<Database>, owner: UserId, currency?: string): Promise<AccountId[]> {
  const rows = await db
    .selectFrom('accounts')
    .select('id')
    .where('owner_id', '=', owner)
    .$if(currency !== undefined, (query) => query.where('currency', '=', currency!))
    .execute();
  return rows.map((row) => row.id);
}

/** One transaction, with the owners of the accounts on this shard that it touches. */
export function findTransaction(db: Kysely<Database>, id: TransactionId) {
  return db
    .selectFrom('transactions')
    .leftJoin('accounts as source', 'source.id', 'transactions.from_account')
    .leftJoin('accounts as target', 'target.id', 'transactions.to_account')
    .select(SHOWN.map((column) => `transactions.${column}` as const))
    .select(['source.owner_id as from_owner', 'target.owner_id as to_owner'])
    .where('transactions.id', '=', id)
    .executeTakeFirst();
}

export function timelineOf(db: Kysely<Database>, id: TransactionId): Promise<TimelineRow[]> {
  return db
    .selectFrom('events')
    .innerJoin('blocks', 'blocks.number', 'events.block')
    .select(['blocks.at', 'events.kind', 'events.detail'])
    .where('events.subject_id', '=', id)
    .orderBy('events.block')
    .orderBy('events.index')
    .limit(MAX_TIMELINE)
    .execute();
}

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
async function firstBlockAt(db: Kysely<Database>, time: Date): Promise<bigint> {
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

interface TransactionSearch {
  accounts: readonly AccountId[];
  type?: TransactionType | undefined;
  status?: TransactionStatus | undefined;
  limit: number;
}

/**
 * What the accounts sent, in any status, and what they were sent, once completed. Each account and direction is a short
 * scan of its own index, already in order; the few rows they give are merged.
 */
export async function listTransactions(
  db: Kysely<Database>,
  span: Span,
  { accounts, type, status, limit }: TransactionSearch,
): Promise<Page<TransactionRow>> {
  // Written into the statement, not passed to it: only so does Postgres see that an index of some statuses will do.
  const filter = sql`${status ? sql`and status = ${sql.lit(status)}` : none}
    ${type ? sql`and type = ${sql.lit(type)}` : none}`;
  const received = status === undefined || status === 'completed';
  const branches = (
    columns: RawBuilder<unknown>,
    also: RawBuilder<unknown>,
    within: Span,
    rows: RawBuilder<unknown>,
  ) => {
    const branch = (side: RawBuilder<unknown>) => sql`(
      select ${columns}, created_block as block, created_index as index from transactions
      where ${side} ${also} and ${isWithin(within, sql`created_block, created_index`)}
      order by created_block desc, created_index desc ${rows})`;
    return sql.join(
      accounts.flatMap((account) => [
        branch(sql`from_account = ${account}`),
        // What went from one's own account is in that one's branch.
        ...(received
          ? [branch(sql`to_account = ${account} and status = 'completed' and from_account <> all(${accounts}::text[])`)]
          : []),
      ]),
      sql` union all `,
    );
  };
  if (accounts.length === 0) return { rows: [], next: undefined };

  // Open transactions are few at any time, and have an index of their own.
  const isOpen = status === 'pending' || status === 'awaiting_approval' || status === 'needs_attention';
  const floor =
    (status && !isOpen) || (type && !isOpen)
      ? await newestOf(db, branches(sql`null`, none, span, sql`limit 1 offset ${STRETCH - 1}`))
      : undefined;
  const within = floor ? { ...span, from: floor } : span;
  const { rows } = await sql<TransactionRow & Position>`
    select * from (${branches(sql.join(SHOWN.map(sql.ref)), filter, within, sql`limit ${limit + 1}`)}) merged
    order by block desc, index desc limit ${limit + 1}`.execute(db);
  return pageOf(rows, limit, floor);
}

/** One wallet's lines, each with what its transaction says of it. */
export async function listEntries(
  db: Kysely<Database>,
  span: Span,
  { account, type, limit }: { account: AccountId; type?: TransactionType | undefined; limit: number },
): Promise<Page<EntryRow>> {
  const lines = (columns: RawBuilder<unknown>, within: Span, rows: RawBuilder<unknown>) => sql`(
    select ${columns} from entries where account_id = ${account} and ${isWithin(within, sql`block, index`)}
    order by block desc, index desc ${rows})`;
  const floor = type
    ? await newestOf(db, lines(sql`block, index`, span, sql`limit 1 offset ${STRETCH - 1}`))
    : undefined;
  const within = floor ? { ...span, from: floor } : span;
  const { rows } = await sql<EntryRow>`
    select line.*, t.type, t.from_account, t.to_account, t.to_name_sealed, t.message_sealed, blocks.at
    from ${lines(sql`*`, within, sql`limit ${type ? STRETCH : limit + 1}`)} line
    join transactions t on t.id = line.transaction_id ${type ? sql`and t.type = ${sql.lit(type)}` : none}
    join blocks on blocks.number = line.block
    order by line.block desc, line.index desc limit ${limit + 1}`.execute(db);
  return pageOf(rows, limit, floor);
}

function isWithin({ before, from }: Span, position: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql`(${position}) < (${before.block}, ${before.index}) and (${position}) >= (${from.block}, ${from.index})`;
}

async function newestOf(db: Kysely<Database>, positions: RawBuilder<unknown>): Promise<Position | undefined> {
  const { rows } = await sql<Position>`
    select block, index from (${positions}) found order by block desc, index desc limit 1`.execute(db);
  return rows[0];
}

function pageOf<Row extends Position>(found: Row[], limit: number, floor: Position | undefined): Page<Row> {
  if (found.length <= limit) return { rows: found, next: floor };
  const rows = found.slice(0, limit);
  const { block, index } = rows.at(-1)!;
  return { rows, next: { block, index } };
}
