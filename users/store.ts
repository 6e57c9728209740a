import type { Selectable } from 'kysely';
import { shardOfId, type UserId } from '../contracts/ids';
import type { Role, UserStatus } from '../contracts/statuses';
import type { By } from '../ledger/by';
import { newUserId } from '../ledger/identity';
import { record } from '../ledger/record';
import type { Database } from '../ledger/schema';
import { ERASED, fieldOf, type Sealer } from '../ledger/seal';
import type { Shard, Shards } from '../ledger/shards';
import { isUnreadable } from '../ledger/wrapping';
import { KEYS_REVOKED, revokedKeys } from './api-keys';

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

const MAX_OF_ONE_EMAIL = 50;

const ADD_USER = `
  with added as (
    insert into users (id, username, password_hash, name_sealed, email_sealed, email_index, roles)
    select $1, $2, $3, $4, $5, $6, $7::text[] where not exists (select from erased_names where name_index = $8)
    on conflict (username) do nothing returning id)
  insert into data_keys (owner_id, number, wrapping_key, wrapped) select id, $9, $10, $11 from added returning owner_id`;
/** Whoever knew the old one is signed out: of all sessions but the one it is changed in. */
const CHANGE_PASSWORD = `
  with done as (update users set password_hash = $3 where id = $1 and password_hash = $2 returning id),
    ended as (
      update sessions set ended_at = now() where user_id in (select id from done) and id <> $4 and ended_at is null),
    ${revokedKeys('(select id from done)', '$5')}
  select id from done`;
/** Whatever was proposed before is off: nobody confirms it afterwards. */
const SET_ROLES = `
  with found as (select id from users where id = $1 and roles @> $3::text[]),
    done as (
      update users set roles = $2::text[] where id in (select id from found) and roles <> $2::text[] returning id),
    withdrawn as (delete from role_proposals where user_id in (select id from found) returning user_id)
  select id from done union all select user_id from withdrawn`;
const SET_FROZEN = `
  with done as (update users set status = $2 where id = $1 and status not in ($2, 'erased') returning id),
    wallets as (update accounts set owner_frozen = $3 where owner_id in (select id from done)),
    ended as (
      update sessions set ended_at = now() where $3 and user_id in (select id from done) and ended_at is null)
  select id from done`;

/** What those who were erased are called, which nobody else may be. */
const isReserved = (username: string) => username === ERASED || username.startsWith(`${ERASED}_`);

/** Users on the shard that their name gives them. Names and e-mails are sealed here, and open only outside Postgres. */
export class Users {
  constructor(
    private readonly shards: Shards,
    private readonly sealer: Sealer,
  ) {}

  /** The new user, or undefined when the name is taken. Who signs up acts for themselves. */
  async create(user: NewUser, by: Partial<By> & { address?: string } = {}): Promise<User | undefined> {
    if (isReserved(user.username) || (await this.byUsername(user.username))) return undefined;
    const shard = this.shards.forUsername(user.username);
    const id = newUserId(shard.number);
    const { username, passwordHash, roles } = user;
    const { address, ...trace } = by;
    const key = await this.sealer.begin(id);
    const values = [
      ...[id, username, passwordHash],
      ...[key.seal(fieldOf.name(id), user.name), key.seal(fieldOf.email(id), user.email)],
      ...[this.sealer.index('email', user.email), roles, this.sealer.index('username', username)],
      ...[key.number, key.wrappingKey, key.wrapped],
    ];
    const isNew = await record(shard, {
      subjectId: id,
      event: 'user_created',
      detail: { roles },
      change: { name: 'add-user', text: ADD_USER, values },
      ...{ actorId: id, role: 'customer', ...trace },
      ...(address !== undefined && { addressSealed: key.seal(fieldOf.address(trace.requestId), address) }),
    });
    return isNew ? this.byUsername(username) : undefined;
  }

  async byId(id: UserId): Promise<(User & { passwordHash: string }) | undefined> {
    const shard = shardOfId(id) === undefined ? undefined : this.shards.forId(id);
    const row = await shard?.db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
    return row && { ...(await this.opened(row)), passwordHash: row.password_hash };
  }

  async byUsername(username: string): Promise<(User & { passwordHash: string }) | undefined> {
    const { db } = this.shards.forUsername(username);
    const row = await db.selectFrom('users').selectAll().where('username', '=', username).executeTakeFirst();
    return row && { ...(await this.opened(row)), passwordHash: row.password_hash };
  }

  /** Those of a shard: the same address may be several people's. */
  async byEmail({ db }: Shard, email: string): Promise<Omit<User, 'name' | 'email'>[]> {
    return db
      .selectFrom('users')
      .select(['id', 'username', 'roles', 'status', 'created_at as createdAt'])
      .where('email_index', '=', this.sealer.index('email', email))
      .orderBy('id')
      .limit(MAX_OF_ONE_EMAIL)
      .execute();
  }

  /** Only where the password is still the one that was checked: of two changes at once, one is told to try again. */
  changePassword(
    id: UserId,
    change: { fromHash: string; toHash: string; keepSession?: string | undefined; revokeApiKeys: boolean },
    by: By,
  ): Promise<boolean> {
    const { fromHash, toHash, keepSession = '', revokeApiKeys } = change;
    const values = [id, fromHash, toHash, keepSession, revokeApiKeys];
    return record(this.shards.forId(id)!, {
      subjectId: id,
      event: 'password_changed',
      detail: revokeApiKeys ? KEYS_REVOKED : {},
      change: { name: 'change-password', text: CHANGE_PASSWORD, values },
      ...by,
    });
  }

  /** False when they have these roles already and no others were proposed, or not all that they should have before. */
  setRoles(id: UserId, roles: readonly Role[], by: By, before: readonly Role[] = []): Promise<boolean> {
    return record(this.shards.forId(id)!, {
      subjectId: id,
      event: 'roles_changed',
      detail: { roles },
      change: { name: 'set-roles', text: SET_ROLES, values: [id, roles, before] },
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

  private async opened(row: Selectable<Database['users']>): Promise<User> {
    return {
      id: row.id,
      username: row.username,
      name: await this.openedText(row.name_sealed, fieldOf.name(row.id)),
      email: await this.openedText(row.email_sealed, fieldOf.email(row.id)),
      roles: row.roles,
      status: row.status,
      createdAt: row.created_at,
    };
  }

  /** What no key opens is left out: its user is found, frozen and signed out all the same. */
  private async openedText(sealed: string, field: string): Promise<string> {
    try {
      return await this.sealer.open(sealed, field);
    } catch (error) {
      if (isUnreadable(error)) return '';
      throw error;
    }
  }
}
