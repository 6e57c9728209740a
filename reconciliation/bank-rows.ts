import { sql, type Kysely } from 'kysely';
import type { StatementLine } from '../bank/rail';
import { systemAccountId, type TransactionId } from '../contracts/ids';
import type { Position } from '../ledger/cursor';
import type { Database } from '../ledger/schema';
import type { Shard } from '../ledger/shards';
import type { Bound } from '../ledger/spans';

const PAGE = 500;

/** A line with the transaction it is about, if it is one of ours. */
export type KnownLine = StatementLine & { transactionId: TransactionId | undefined };

/** Keeps lines of the statement, each once, for what is ours to be held against. */
export async function keepLines(db: Kysely<Database>, lines: readonly KnownLine[]): Promise<void> {
  if (lines.length === 0) return;
  await db
    .insertInto('bank_statement_lines')
    .values(
      lines.map((line) => ({
        settlement_id: line.settlementId,
        kind: line.kind,
        reference: line.reference ?? null,
        transaction_id: line.transactionId ?? null,
        amount: line.amountMinor,
        currency: line.currency,
        at: new Date(line.at),
      })),
    )
    .onConflict((conflict) => conflict.column('settlement_id').doNothing())
    .execute();
}

/**
 * What moved at the bank, as `@bank` of a currency says of transactions: what came to us there is taken from it here.
 * Absent: the shard doesn't know the transaction.
 */
export async function bookedOf(
  { number, db }: Shard,
  currency: string,
  ids: readonly TransactionId[],
): Promise<Map<TransactionId, bigint>> {
  const { rows } = await sql<{ id: TransactionId; booked: bigint }>`
    select t.id, (select -coalesce(sum(e.amount), 0)::bigint from entries e
      where e.at = t.completed_at and e.block = t.final_block and e.transaction_id = t.id
        and e.account_id = ${systemAccountId(number, '@bank', currency)}) as booked
    from transactions t where t.id = any(${ids}::text[])`.execute(db);
  return new Map(rows.map(({ id, booked }) => [id, booked]));
}

export interface Booked extends Position {
  transaction_id: TransactionId;
  type: string;
  amount: bigint;
  /** Whether the bank's statement has a line of it. */
  isTold: boolean;
}

/** What was booked at the bank in a currency, from a place on and up to a time, in order. */
export async function bookedPage(
  { number, db }: Shard,
  { currency, after, until }: { currency: string; after: Bound; until: Date },
): Promise<Booked[]> {
  const account = systemAccountId(number, '@bank', currency);
  const { rows } = await sql<Booked>`
    select e.block, e.index, -e.amount as amount, e.transaction_id, t.type,
      t.type not in ('deposit', 'withdrawal', 'reversal') or exists (
        select from bank_statement_lines l
        where l.transaction_id = case when t.type = 'reversal' then t.linked_to else t.id end
          and (l.kind = 'return') = (t.type = 'reversal')) as "isTold"
    from entries e join transactions t on t.id = e.transaction_id
    where e.account_id = ${account}
      and (e.at, e.block, e.index) > (${after.at}::timestamptz, ${after.block}::bigint, ${after.index}::integer)
      and e.at >= ${after.at}::timestamptz and e.at < ${until}
    order by e.at, e.block, e.index limit ${PAGE}`.execute(db);
  return rows;
}

/** The currencies in which anything can have been booked at the bank. */
export async function bankCurrencies(shards: readonly Shard[]): Promise<string[]> {
  const rows = await Promise.all(
    shards.map(({ db }) =>
      db
        .selectFrom('accounts')
        .select('currency')
        .where('kind', '=', 'system')
        .where('id', 'like', '%@bank.%')
        .execute(),
    ),
  );
  return [...new Set(rows.flat().map(({ currency }) => currency))].sort();
}
