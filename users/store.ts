import type { Selectable } from 'kysely';
import { shardOfId, type UserId } from '../contracts/ids';
import type { Role, UserStatus } from '../contracts/statuses';
import type { By } from '../ledger/by';
import { newUserId } from '../ledger/identity';
import { record } from '../ledger/record';
import type { Database } from '../ledger/schema';
import type { Sealer } from '../ledger/seal';
import type { Shards } from '../ledger/shards';

export interface User {
  id: UserId;
  username: string;
  name: string;
  email: string;
  roles: Role[];
  status: UserStatus;
  createdAt: Date;
}

export interface NewUser {
  username: string;
  name: string;
  email: string;
  passwordHash: string;
  roles: Role[];
}

const ADD_USER = `
  insert into users (id, username, password_hash, name_sealed, email_sealed, roles) values ($1, $2, $3, $4, $5, $6)
  on conflict (username) do nothing returning id`;
/** Whoever knew the old one is signed out: of all sessions but the one it is changed in. */
const CHANGE_PASSWORD = `
  with done as (update users set password_hash = $3 where id = $1 and password_hash = $2 returning id),
    ended as (
      update sessions set ended_at = now() where user_id in (select id from done) and id <> $4 and ended_at is null)
  select id from done`;
const SET_ROLES = 'update users set roles = $2::text[] where id = $1 and roles <> $2::text[] returning id';
const SET_FROZEN = `
  with done as (update users set status = $2 where id = $1 and status <> $2 returning id),
    wallets as (update accounts set owner_frozen = $3 where owner_id in (select id from done)),
    ended as (
      update sessions set ended_at = now() where $3 and user_id in (select id from done) and ended_at is null)
  select id from done`;

/** Users on the shard that their name gives them. Names and e-mails are sealed here, and open only outside Postgres. */
export class Users {
  constructor(
    private readonly shards: Shards,
    private readonly sealer: Sealer,
  ) {}

  /** The new user, or undefined when the name is taken. Who signs up acts for themselves. */
  async create(user: NewUser, by: Partial<By> = {}): Promise<User | undefined> {
    if (await this.byUsername(user.username)) return undefined;
    const shard = this.shards.forUsername(user.username);
    const id = newUserId(shard.number);
    const { username, passwordHash, roles } = user;
    const sealed = [this.sealer.seal(user.name), this.sealer.seal(user.email)];
    const isNew = await record(shard, {
      subjectId: id,
      event: 'user_created',
      detail: { roles },
      change: { name: 'add-user', text: ADD_USER, values: [id, username, passwordHash, ...sealed, roles] },
      ...{ actorId: id, role: 'customer', ...by },
    });
    return isNew ? this.byUsername(username) : undefined;
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
  changePassword(
    id: UserId,
    { fromHash, toHash, keepSession = '' }: { fromHash: string; toHash: string; keepSession?: string | undefined },
    by: By,
  ): Promise<boolean> {
    return record(this.shards.forId(id)!, {
      subjectId: id,
      event: 'password_changed',
      change: { name: 'change-password', text: CHANGE_PASSWORD, values: [id, fromHash, toHash, keepSession] },
      ...by,
    });
  }

  /** False when they have these roles already. */
  setRoles(id: UserId, roles: readonly Role[], by: By): Promise<boolean> {
    return record(this.shards.forId(id)!, {
      subjectId: id,
      event: 'roles_changed',
      detail: { roles },
      change: { name: 'set-roles', text: SET_ROLES, values: [id, roles] },
      ...by,
    });
  }

  /** With all their wallets; whoever is frozen is signed out everywhere. False when they are as asked for already. */
  setFrozen(id: UserId, frozen: boolean, noteSealed: string, by: By): Promise<boolean> {
    return record(this.shards.forId(id)!, {
      subjectId: id,
      event: frozen ? 'user_frozen' : 'user_unfrozen',
      detail: { note: noteSealed },
      change: { name: 'set-frozen', text: SET_FROZEN, values: [id, frozen ? 'frozen' : 'active', frozen] },
      ...by,
    });
  }

  private opened(row: Selectable<Database['users']>): User {
    return {
      id: row.id,
      username: row.username,
      name: this.sealer.open(row.name_sealed),
      email: this.sealer.open(row.email_sealed),
      roles: row.roles,
      status: row.status,
      createdAt: row.created_at,
    };
  }
}
