import type { Selectable } from 'kysely';
import { shardOfId, type UserId } from '../contracts/ids';
import type { Role } from '../contracts/statuses';
import { newUserId } from '../ledger/identity';
import type { Database } from '../ledger/schema';
import type { Sealer } from '../ledger/seal';
import type { Shards } from '../ledger/shards';

export interface User {
  id: UserId;
  username: string;
  name: string;
  email: string;
  roles: Role[];
  createdAt: Date;
}

export interface NewUser {
  username: string;
  name: string;
  email: string;
  passwordHash: string;
  roles: Role[];
}

/** Users on the shard that their name gives them. Names and e-mails are sealed here, and open only outside Postgres. */
export class Users {
  constructor(
    private readonly shards: Shards,
    private readonly sealer: Sealer,
  ) {}

  /** The new user, or undefined when the name is taken. */
  async create(user: NewUser): Promise<User | undefined> {
    const shard = this.shards.forUsername(user.username);
    const row = await shard.db
      .insertInto('users')
      .values({
        id: newUserId(shard.number),
        username: user.username,
        password_hash: user.passwordHash,
        name_sealed: this.sealer.seal(user.name),
        email_sealed: this.sealer.seal(user.email),
        roles: user.roles,
      })
      .onConflict((conflict) => conflict.column('username').doNothing())
      .returningAll()
      .executeTakeFirst();
    return row && this.opened(row);
  }

  async byId(id: UserId): Promise<(User & { passwordHash: string }) | undefined> {
    const shard = shardOfId(id) === undefined ? undefined : this.shards.forId(id);
    const row = await shard?.db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
    return row && { ...this.opened(row), passwordHash: row.password_hash };
  }

  async byUsername(username: string): Promise<(User & { passwordHash: string }) | undefined> {
    const { db } = this.shards.forUsername(username);
    const row = await db.selectFrom('users').selectAll().where('username', '=', username).executeTakeFirst();
    return row && { ...this.opened(row), passwordHash: row.password_hash };
  }

  /** Only where the password is still the one that was checked: of two changes at once, one is told to try again. */
  async changePassword(id: UserId, fromHash: string, toHash: string): Promise<boolean> {
    const result = await this.shards
      .forId(id)
      ?.db.updateTable('users')
      .set({ password_hash: toHash })
      .where('id', '=', id)
      .where('password_hash', '=', fromHash)
      .executeTakeFirst();
    return result?.numUpdatedRows === 1n;
  }

  private opened(row: Selectable<Database['users']>): User {
    return {
      id: row.id,
      username: row.username,
      name: this.sealer.open(row.name_sealed),
      email: this.sealer.open(row.email_sealed),
      roles: row.roles,
      createdAt: row.created_at,
    };
  }
}
