import { createHmac } from 'node:crypto';
import { sql } from 'kysely';
import type { UserId } from '../contracts/ids';
import type { Shards } from '../ledger/shards';

const KNOWN_DAYS = 90;

/** Where users have logged in from. An address is kept as a hash under a key, another one for each user. */
export class KnownAddresses {
  constructor(
    private readonly shards: Shards,
    private readonly key: string,
  ) {}

  /** The same question, whether there is such a user or not. */
  async has(username: string, address: string): Promise<boolean> {
    const row = await this.shards
      .forUsername(username)
      .db.selectFrom('login_addresses')
      .innerJoin('users', 'users.id', 'login_addresses.user_id')
      .select('users.id')
      .where('users.username', '=', username)
      .where('address_hash', '=', this.hashOf(username, address))
      .where('last_at', '>', sql<Date>`now() - make_interval(days => ${KNOWN_DAYS})`)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Written once a day at most; what is long ago is forgotten. */
  async remember({ id, username }: { id: UserId; username: string }, address: string): Promise<void> {
    const { db } = this.shards.forId(id)!;
    await sql`
      with forgotten as (
        delete from login_addresses where user_id = ${id} and last_at < now() - make_interval(days => ${KNOWN_DAYS}))
      insert into login_addresses (user_id, address_hash) values (${id}, ${this.hashOf(username, address)})
      on conflict (user_id, address_hash) do update set last_at = now()
      where login_addresses.last_at < now() - interval '1 day'`.execute(db);
  }

  private hashOf(username: string, address: string): string {
    const text = ['login address', username, address].join('\0');
    return createHmac('sha256', this.key).update(text).digest('base64url');
  }
}
