import pg from 'pg';
import { systemAccountId } from '../../contracts/ids';
import type { Command, TransactionFacts } from '../../ledger/commands';
import { newAccountId, transactionId } from '../../ledger/identity';
import { valueTypes } from '../../ledger/postgres';
import { openShards, type Shards } from '../../ledger/shards';
import { openHouseAccounts } from '../../users/accounts';
import { cloneDatabase, type TestDatabase } from './database';
import { silent } from './people';

export const BANK = systemAccountId(0, '@bank', 'SGD');

/** Books of one's own on a real database: a few wallets with 100.00 SGD each, and no API before them. */
export class TestBooks {
  private keys = 0;

  private constructor(
    readonly database: TestDatabase,
    readonly shards: Shards,
    readonly owner: pg.Client,
    readonly wallets: string[],
  ) {}

  static async create(count: number, patienceMs?: number): Promise<TestBooks> {
    const database = await cloneDatabase();
    const shards = openShards({ urls: [database.appUrl], log: silent, poolSize: 2, ...(patienceMs && { patienceMs }) });
    const owner = new pg.Client({ connectionString: database.ownerUrl, types: valueTypes });
    await owner.connect();
    const shard = shards.shard(0);
    await openHouseAccounts(shard, 'SGD');
    // Rows without events, so that the blocks a test counts are its own.
    for (let n = 0; n < count; n += 1) {
      const user = { username: `user_${n}`, password_hash: '', name_sealed: '', email_sealed: '', roles: [] };
      await shard.db
        .insertInto('users')
        .values({ id: `us_0_${n}`, ...user })
        .execute();
      await shard.db
        .insertInto('accounts')
        .values({ id: newAccountId(0), kind: 'user', owner_id: `us_0_${n}`, currency: 'SGD' })
        .execute();
    }
    const rows = await shard.db
      .selectFrom('accounts')
      .select('id')
      .where('kind', '=', 'user')
      .orderBy('owner_id')
      .execute();
    const books = new TestBooks(
      database,
      shards,
      owner,
      rows.map((row) => row.id),
    );
    await shard.poster.post(books.wallets.map((to) => books.transfer(BANK, to, 100_00n)));
    return books;
  }

  facts(from: string, to: string, amountMinor: bigint): TransactionFacts {
    const id = transactionId('us_0_a', `${this.keys++}`);
    return { id, type: 'transfer', actorId: 'us_0_a', hash: id, from, to, amountMinor, currency: 'SGD' };
  }

  transfer(from: string, to: string, amountMinor: bigint): Command {
    return { kind: 'transfer', facts: this.facts(from, to, amountMinor) };
  }

  get poster() {
    return this.shards.shard(0).poster;
  }

  async close(): Promise<void> {
    await this.shards.close();
    await this.owner.end();
    await this.database.drop();
  }
}
