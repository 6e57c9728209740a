import { createTokens } from '../api/tokens';
import type { Config } from '../cli/config';
import { systemAccountId, type AccountId } from '../contracts/ids';
import { shardOfUsername, transactionId } from '../ledger/identity';
import { createSealer } from '../ledger/seal';
import { openShards } from '../ledger/shards';
import { BankAccounts } from '../payments/bank-accounts';
import { openAccount } from '../users/accounts';
import { Users } from '../users/store';
import type { Payer } from './load-jobs';

export interface Customer extends Payer {
  accountId: AccountId;
}

export const CURRENCY = 'SGD';
/** More than a run can move: no transfer is to fail for lack of money. */
export const FUNDS_MINOR = 10n ** 14n;
const silent = { info() {}, warn() {}, error() {} };

/**
 * Users with a wallet each, money in it, a bank account that is taken as verified, and a real token. Made past the API
 * only to spare hashing passwords. They take turns to live on the shards.
 */
export async function makeCustomers(urls: string[], config: Config, count = 50): Promise<Customer[]> {
  const { secrets, tokenTtlSeconds } = config;
  const shards = openShards({ urls, log: silent, poolSize: 2 });
  const sealer = createSealer({ shards, ...secrets });
  const users = new Users(shards, sealer);
  const tokens = createTokens({ key: secrets.tokenKey, ttlSeconds: tokenTtlSeconds });
  const bankAccounts = new BankAccounts(shards, sealer, secrets.commandKey);
  try {
    const customers: Customer[] = [];
    for (let number = 1; number <= count; number++) {
      const username = nameOn(number % shards.count, shards.count, number);
      const shard = shards.forUsername(username);
      const facts = {
        username,
        name: `Payer ${number}`,
        email: `${username}@example.com`,
        roles: ['customer' as const],
      };
      const user = await users.create({ ...facts, passwordHash: 'none' });
      if (!user) throw new Error(`${username} is there already`);
      await openAccount(shard, user.id, CURRENCY);
      const { id: accountId } = await shard.db
        .selectFrom('accounts')
        .select('id')
        .where('owner_id', '=', user.id)
        .executeTakeFirstOrThrow();
      const { accessToken: token } = tokens.issue({ userId: user.id, username, roles: user.roles });
      const details = { holder: facts.name, number: String(10_000_100 + number), bankCode: 'BENCSGSG' };
      const added = await bankAccounts.add(user.id, details, { actorId: user.id });
      const bankAccount = added!.account.id;
      await shard.db.updateTable('bank_accounts').set({ status: 'verified' }).where('id', '=', bankAccount).execute();
      customers.push({ wallet: `${username}.${CURRENCY}`, shard: shard.number, token, bankAccount, accountId });
      const outcomes = await shard.poster.post([
        {
          kind: 'transfer',
          facts: {
            id: transactionId(user.id, 'bench opening'),
            type: 'opening',
            actorId: user.id,
            hash: 'opening',
            from: systemAccountId(shard.number, '@bank', CURRENCY),
            to: accountId,
            amountMinor: FUNDS_MINOR,
            currency: CURRENCY,
          },
        },
      ]);
      if (outcomes[0]?.kind !== 'transaction' || outcomes[0].status !== 'completed') {
        throw new Error(`${username} could not be given money: ${JSON.stringify(outcomes)}`);
      }
    }
    return customers;
  } finally {
    await shards.close();
  }
}

function nameOn(shard: number, count: number, number: number): string {
  for (let tried = 0; ; tried++) {
    const name = `payer_${String(number).padStart(2, '0')}${tried === 0 ? '' : `_${tried}`}`;
    if (shardOfUsername(name, count) === shard) return name;
  }
}
