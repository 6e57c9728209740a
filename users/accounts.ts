import { SYSTEM_WALLETS, systemAccountId, type UserId } from '../contracts/ids';
import type { By } from '../ledger/by';
import { newAccountId } from '../ledger/identity';
import { record } from '../ledger/record';
import type { Shard } from '../ledger/shards';

/** A token can outlive a wiped database, or a freeze: nothing is opened for a user who isn't there or may not. */
const ADD_ACCOUNT = `
  insert into accounts (id, kind, owner_id, currency)
  select $1, 'user', id, $3 from users where id = $2 and status = 'active'
  on conflict (owner_id, currency) do nothing returning id`;

/**
 * Opens the user's account in a currency unless there is one, with the house's own accounts of that currency, which the
 * other side of every movement needs. Any number of these at once make one of each.
 */
export async function openAccount(
  shard: Shard,
  userId: UserId,
  currency: string,
  by: By = { actorId: userId, role: 'customer' },
): Promise<{ created: boolean }> {
  const existing = await shard.db
    .selectFrom('accounts')
    .select('id')
    .where('owner_id', '=', userId)
    .where('currency', '=', currency)
    .executeTakeFirst();
  if (existing) return { created: false };
  await openHouseAccounts(shard, currency);
  const id = newAccountId(shard.number);
  const created = await record(shard, {
    subjectId: id,
    event: 'wallet_opened',
    detail: { owner: userId, currency },
    change: { name: 'add-account', text: ADD_ACCOUNT, values: [id, userId, currency] },
    ...by,
  });
  return { created };
}

export async function openHouseAccounts(shard: Shard, currency: string): Promise<void> {
  await shard.db
    .insertInto('accounts')
    .values(
      SYSTEM_WALLETS.map((wallet) => ({
        id: systemAccountId(shard.number, wallet, currency),
        kind: 'system' as const,
        owner_id: null,
        currency,
      })),
    )
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}
