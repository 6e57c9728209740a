import type { Kysely } from 'kysely';
import type { AccountId } from '../contracts/ids';
import type { Database } from './schema';

/** What an account held at a time: its last entry until then says it. */
export async function balanceAt(db: Kysely<Database>, account: AccountId, time: Date): Promise<bigint> {
  const last = await db
    .selectFrom('entries')
    .select('balance_after')
    .where('account_id', '=', account)
    .where('at', '<=', time)
    .orderBy('at', 'desc')
    .orderBy('block', 'desc')
    .orderBy('index', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last?.balance_after ?? 0n;
}
