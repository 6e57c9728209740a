import { sql, type Kysely, type RawBuilder, type Selectable } from 'kysely';
import type { AccountId, TransactionId, UserId } from '../contracts/ids';
import type { TransactionStatus, TransactionType } from '../contracts/statuses';
import type { Position } from './cursor';
import type { Database } from './schema';
import { ENTRIES, newestRows, pageOf, STRETCH, stretchOf, type Page, type Span, type Way } from './spans';

export const SHOWN = [
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
  'linked_to',
  'bank_account_id',
  'refunded',
] as const;

type TransactionColumns = Selectable<Database['transactions']>;
/** What of a transaction is ever shown. */
export type TransactionRow = Pick<TransactionColumns, (typeof SHOWN)[number]>;

export type EntryRow = Selectable<Database['entries']> &
  Pick<TransactionColumns, 'type' | 'from_account' | 'to_account' | 'to_name_sealed' | 'message_sealed'>;

export interface TimelineRow {
  at: Date;
  kind: string;
  detail: string;
}

/** A timeline is short; one that isn't must not become an answer without end. */
const MAX_TIMELINE = 500;

export async function ownAccounts(db: Kysely<Database>, owner: UserId, currency?: string): Promise<AccountId[]> {
  const rows = await db
    .selectFrom('accounts')
    .select('id')
    .where('owner_id', '=', owner)
    .$if(currency !== undefined, (query) => query.where('currency', '=', currency!))
    .execute();
  return rows.map((row) => row.id);
}

/** The owner's wallet in a currency, as `readHistory` wants it. */
export function ownAccount(db: Kysely<Database>, owner: UserId, currency: string) {
  return db
    .selectFrom('accounts')
    .select(['id', 'version'])
    .where('owner_id', '=', owner)
    .where('currency', '=', currency)
    .executeTakeFirst();
}

/** One transaction, with who it belongs to: the owners of those of its accounts that are on this shard. */
export function findTransaction(db: Kysely<Database>, id: TransactionId) {
  return db
    .selectFrom('transactions')
    .leftJoin('accounts as source', 'source.id', 'transactions.from_account')
    .leftJoin('accounts as target', 'target.id', 'transactions.to_account')
    .select(SHOWN.map((column) => `transactions.${column}` as const))
    .select(['source.owner_id as from_owner', 'target.owner_id as to_owner'])
    .select(['transactions.actor_id', 'transactions.owner_workflow', 'transactions.command_hash'])
    .where('transactions.id', '=', id)
    .executeTakeFirst();
}

export type FoundTransaction = NonNullable<Awaited<ReturnType<typeof findTransaction>>>;

export function timelineOf(db: Kysely<Database>, id: TransactionId): Promise<TimelineRow[]> {
  return db
    .selectFrom('events')
    .select(['at', 'kind', 'detail'])
    .where('subject_id', '=', id)
    .where('at', '>=', ({ selectFrom }) => selectFrom('transactions').select('created_at').where('id', '=', id))
    .orderBy('at')
    .orderBy('block')
    .orderBy('index')
    .limit(MAX_TIMELINE)
    .execute();
}

/** What people wrote with their decisions about it, sealed, by the decisions' ids. */
export async function notesOf(db: Kysely<Database>, id: TransactionId): Promise<Map<string, string>> {
  const rows = await db
    .selectFrom('decisions')
    .select(['id', 'note_sealed'])
    .where('transaction_id', '=', id)
    .where('note_sealed', 'is not', null)
    .execute();
  return new Map(rows.map((row) => [row.id, row.note_sealed!]));
}

export interface TransactionSearch {
  accounts: readonly AccountId[];
  type?: TransactionType | undefined;
  status?: TransactionStatus | undefined;
  limit: number;
}

/** What the accounts sent, and what was sent for at the bank, in any status; what they were sent, once completed. */
export async function listTransactions(
  db: Kysely<Database>,
  within: Span,
  { accounts, type, status, limit }: TransactionSearch,
): Promise<Page<TransactionRow>> {
  const ways = waysTo(accounts, status);
  const { span, end } = type || status ? await stretchOf(db, accounts, ways, within) : { span: within, end: undefined };
  const filter = allOf([status && is('status', status), type && is('type', type)]);
  const found = newestRows(accounts, ways, { span, columns: SHOWN, filter, limit: limit + 1 });
  const { rows } = await sql<TransactionRow & Position>`
    select found.* from ${found} order by block desc, index desc limit ${limit + 1}`.execute(db);
  return pageOf(rows, limit, end);
}

function waysTo(accounts: readonly AccountId[], status: TransactionStatus | undefined): Way[] {
  const sent: Way = { table: 'transactions', key: ['from_account', 'created_at', 'created_block', 'created_index'] };
  const toAccount: Way = {
    table: 'transactions',
    key: ['to_account', 'created_at', 'created_block', 'created_index'],
  };
  const arriving: Way = { ...toAccount, where: sql`type = 'deposit' and status <> 'completed'` };
  // What has not completed is seen by whoever asked for it only, and has indexes of its own.
  if (status && status !== 'completed') return [{ ...sent, where: sql`status <> 'completed'` }, arriving];
  // What went from one account of the owner's to another is among what was sent.
  const where = sql`status = 'completed' and from_account <> all(${accounts}::text[])`;
  const received: Way = { ...toAccount, where };
  return status ? [sent, received] : [sent, received, arriving];
}

/** One wallet's lines, each with what its transaction says of it. */
export async function listEntries(
  db: Kysely<Database>,
  within: Span,
  { account, type, limit }: { account: AccountId; type?: TransactionType | undefined; limit: number },
): Promise<Page<EntryRow>> {
  const ways = [ENTRIES];
  const { span, end } = type ? await stretchOf(db, [account], ways, within) : { span: within, end: undefined };
  const columns = ['transaction_id', 'account_id', 'currency', 'amount', 'balance_after'];
  const found = newestRows([account], ways, { span, columns, limit: type ? STRETCH : limit + 1 });
  const { rows } = await sql<EntryRow>`
    select found.*, t.type, t.from_account, t.to_account, t.to_name_sealed, t.message_sealed
    from ${found}
    join transactions t on t.id = found.transaction_id ${type ? sql`and ${is('t.type', type)}` : sql``}
    order by found.block desc, found.index desc limit ${limit + 1}`.execute(db);
  return pageOf(rows, limit, end);
}

/** With the value in the statement, not passed to it: only so does Postgres see that a partial index will do. */
function is(column: string, value: TransactionStatus | TransactionType): RawBuilder<unknown> {
  return sql`${sql.ref(column)} = ${sql.lit(value)}`;
}

function allOf(conditions: readonly (RawBuilder<unknown> | undefined)[]): RawBuilder<unknown> | undefined {
  const given = conditions.filter((each) => each !== undefined);
  return given.length > 0 ? sql.join(given, sql` and `) : undefined;
}

/** What the books said when they rejected these transactions. */
export function rejectionsOf(db: Kysely<Database>, ids: readonly TransactionId[]) {
  return db
    .selectFrom('transactions as t')
    .innerJoin('events as e', (join) =>
      join.onRef('e.subject_id', '=', 't.id').onRef('e.at', '=', 't.completed_at').onRef('e.kind', '=', 't.status'),
    )
    .select(['t.id', 't.type', 't.currency', 'e.at', 'e.detail'])
    .where('t.id', 'in', ids)
    .execute();
}
