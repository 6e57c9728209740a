import { sql, type Kysely } from 'kysely';
import type { AccountId } from '../contracts/ids';
import type { Database } from './schema';
import { ENTRIES, newestRows, spanOf } from './spans';

/** What an account held when the last block at or before that time was made. Its last entry until then says it. */
export async function balanceAt(db: Kysely<Database>, account: AccountId, time: Date): Promise<bigint> {
  // Blocks are timed in whole milliseconds, of which this one is the first that no longer counts.
  const span = await spanOf(db, { until: new Date(time.getTime() + 1) });
  const last = newestRows([account], [ENTRIES], { span, columns: ['balance_after'], limit: 1 });
  const { rows } = await sql<{ balance_after: bigint }>`select found.balance_after from ${last}`.execute(db);
  return rows[0]?.balance_after ?? 0n;
}
