import { SYSTEM_WALLETS, systemAccountId, type UserId } from '../contracts/ids';
import { newAccountId } from '../ledger/identity';
import type { Shard } from '../ledger/shards';

/**
 * Opens the user's account in a currency unless there is one, with the house's own accounts of that currency, which the
 * other side of every movement needs. Any number of these at once make one of each.
 */
export async function openAccount(shard: Shard, userId: UserId, currency: string): Promise<{ created: boolean }> {
  const existing = await shard.db
    .selectFrom('accounts')
    .select('id')
    .where('owner_id', '=', userId)
    .where('currency', '=', currency)
    .executeTakeFirst();
  if (existing) return { created: false };
  await openHouseAccounts(shard, currency);
  const result = await shard.db
    .insertInto('accounts')
    .columns(['owner_id', 'id', 'kind', 'currency'])
    // A token can outlive a wiped database: nothing is opened for a user who isn't there.
    .expression(({ selectFrom, val }) =>
      selectFrom('users')
        .select(['users.id as owner_id'])
        .select([val(newAccountId(shard.number)).as('id'), val('user').as('kind'), val(currency).as('currency')])
        .where('users.id', '=', userId),
    )
    .onConflict((conflict) => conflict.columns(['owner_id', 'currency']).doNothing())
    .executeTakeFirst();
  return { created: result.numInsertedOrUpdatedRows === 1n };
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
