import { sql, type Kysely } from 'kysely';
import type { AccountId } from '../contracts/ids';
import type { Database } from './schema';

/** One that is late for long catches up in several, each of about so many entries. */
const MOST_ENTRIES = 5_000_000;

export interface Snapshot {
  block: bigint;
  /** Whether nothing had been posted after it. */
  isNewest: boolean;
}

/** The block of the newest snapshot; 0, before every entry, while there is none. */
export async function newestSnapshot(db: Kysely<Database>): Promise<bigint> {
  const newest = await db.selectFrom('snapshots').select('block').orderBy('block', 'desc').limit(1).executeTakeFirst();
  return newest?.block ?? 0n;
}

/**
 * Writes the next snapshot: of every account that moved since the one before, what it had then and all amounts since.
 * So it rests on the entries alone, and neither on the accounts' rows nor on what an entry says of the balance after it.
 * Undefined when nothing was posted since. Posting goes on meanwhile.
 */
export function writeSnapshot(db: Kysely<Database>, mostEntries = MOST_ENTRIES): Promise<Snapshot | undefined> {
  return db.transaction().execute(async (trx) => {
    const since = await newestSnapshot(trx);
    const next = await nextSnapshot(trx, since, mostEntries);
    if (!next) return undefined;
    const until = next.block;
    await sql`insert into snapshots (block, at) select number, at from blocks where number = ${until}`.execute(trx);
    await sql`
      insert into snapshot_balances (account_id, block, balance)
      select moved.account_id, ${until}, coalesce(earlier.balance, 0) + moved.amount
      from (
        select account_id, sum(amount)::bigint as amount from entries
        where block > ${since} and block <= ${until} and at >= ${sql.raw(timeOf(since))} and at <= ${sql.raw(timeOf(until))}
        group by account_id) moved
      left join lateral (${sql.raw(balanceIn(since, 'moved.account_id'))}) earlier on true`.execute(trx);
    return next;
  });
}

async function nextSnapshot(db: Kysely<Database>, since: bigint, mostEntries: number): Promise<Snapshot | undefined> {
  const { rows } = await sql<Snapshot>`
    select number as block, number = newest as "isNewest"
    from (
      select number, sum(entries) over (order by number) as entries, max(number) over () as newest
      from blocks where number > ${since}) b
    where entries <= ${mostEntries} or number = ${since} + 1 order by number desc limit 1`.execute(db);
  return rows[0];
}

/** In SQL, what an account had in a snapshot: its row there, or the newest before. */
export function balanceIn(block: bigint, accountId: string): string {
  return `select s.balance from snapshot_balances s
    where s.account_id = ${accountId} and s.block <= ${block} order by s.block desc limit 1`;
}

/** In SQL, when a block was. Entries lie by time: with it, a statement looks only into the months that it needs. */
export function timeOf(block: bigint): string {
  return `coalesce((select b.at from blocks b where b.number = ${block}), '-infinity')`;
}

export interface WrongInSnapshot {
  accountId: AccountId;
  is: bigint;
  shouldBe: bigint;
}

const ACCOUNTS_AT_ONCE = 500;

/** Holds a snapshot against all entries before it, some accounts at a time. */
export async function* wrongInSnapshot(db: Kysely<Database>, block: bigint): AsyncGenerator<WrongInSnapshot> {
  for (let after = ''; ;) {
    const { rows } = await sql<WrongInSnapshot>`
      select a.id as "accountId", coalesce((${sql.raw(balanceIn(block, 'a.id'))}), 0) as "is",
        (select coalesce(sum(amount), 0) from entries
          where account_id = a.id and block <= ${block} and at <= ${sql.raw(timeOf(block))})::bigint as "shouldBe"
      from accounts a where a.id > ${after} order by a.id limit ${ACCOUNTS_AT_ONCE}`.execute(db);
    if (rows.length === 0) return;
    after = rows.at(-1)!.accountId;
    yield* rows.filter((row) => row.is !== row.shouldBe);
  }
}
