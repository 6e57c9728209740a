import { sql, type Kysely, type Selectable } from 'kysely';
import type { UserId } from '../contracts/ids';
import type { Permission } from '../contracts/permissions';
import type { By } from '../ledger/by';
import { newApiKeyId } from '../ledger/identity';
import { record } from '../ledger/record';
import type { Database } from '../ledger/schema';
import { fieldOf, type Sealer } from '../ledger/seal';
import type { Shards } from '../ledger/shards';
import { isMarked, newSecret, secretHash } from './secrets';
import type { Standing } from './standing';

export interface NewApiKey {
  name: string;
  scopes: Permission[];
  expiresAt: Date;
}

export interface ApiKey extends NewApiKey {
  id: string;
  createdAt: Date;
  lastUsedAt: Date | null;
}

type Row = Pick<
  Selectable<Database['api_keys']>,
  'id' | 'name_sealed' | 'scopes' | 'created_at' | 'last_used_at' | 'expires_at'
>;

/** How many a user may have that are good. */
export const MAX_KEYS = 50;

const MAKE = `
  insert into api_keys (id, user_id, name_sealed, hash, scopes, expires_at)
  select $1, id, $3, $4, $5, $6 from users
  where id = $2 and status = 'active'
    and ($7::text is null or exists (select from sessions where id = $7 and ended_at is null))
    and ${MAX_KEYS} > (
      select count(*) from api_keys where user_id = $2 and revoked_at is null and expires_at > now())
  returning id`;
const REVOKE =
  'update api_keys set revoked_at = now() where id = $1 and user_id = $2 and revoked_at is null returning id';

/** What an event says that ended all keys of its user. */
export const KEYS_REVOKED = { apiKeys: 'revoked' };

/** Part of a statement that takes more than the keys from a user: both are parameters of it. */
export const revokedKeys = (owner: string, areMeant: string) => `
  revoked as (
    update api_keys set revoked_at = now() where ${areMeant}::boolean and user_id = ${owner} and revoked_at is null
    returning id)`;

/** Keys for services, on their owners' shards. */
export class ApiKeys {
  constructor(
    private readonly shards: Shards,
    private readonly sealer: Sealer,
  ) {}

  /**
   * With the key itself, which is known to nobody afterwards. Undefined when the user has too many, or the session it is
   * made in has ended: no key outlives the ending of all sessions and keys by being made in that moment.
   */
  async make(
    owner: UserId,
    wanted: NewApiKey & { sessionId: string | undefined },
    by: By,
  ): Promise<(ApiKey & { key: string }) | undefined> {
    const shard = this.shards.forId(owner)!;
    const id = newApiKeyId(shard.number);
    const key = `hf_${id.slice('ak_'.length)}_${newSecret(this.sealer, id)}`;
    const { name, scopes, expiresAt, sessionId } = wanted;
    const values = [
      id,
      owner,
      await this.sealer.seal(owner, fieldOf.name(id), name),
      secretHash(key),
      scopes,
      expiresAt,
      sessionId,
    ];
    const isMade = await record(shard, {
      subjectId: id,
      event: 'api_key_made',
      detail: { owner, scopes, expiresAt },
      change: { name: 'make-api-key', text: MAKE, values },
      ...by,
    });
    const made = isMade ? await this.find(owner, id) : undefined;
    return made && { ...made, key };
  }

  /** False for one that is not the owner's, or is revoked already. */
  revoke(owner: UserId, id: string, by: By): Promise<boolean> {
    return record(this.shards.forId(owner)!, {
      subjectId: id,
      event: 'api_key_revoked',
      detail: { owner },
      change: { name: 'revoke-api-key', text: REVOKE, values: [id, owner] },
      ...by,
    });
  }

  /** Those that are not revoked, newest first. */
  async list(owner: UserId): Promise<ApiKey[]> {
    const rows = await this.ownedBy(owner)
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(4 * MAX_KEYS)
      .execute();
    return this.opened(rows);
  }

  private async find(owner: UserId, id: string): Promise<ApiKey | undefined> {
    const [key] = await this.opened(await this.ownedBy(owner).where('id', '=', id).execute());
    return key;
  }

  private ownedBy(owner: UserId) {
    return this.shards
      .forId(owner)!
      .db.selectFrom('api_keys')
      .select(['id', 'name_sealed', 'scopes', 'created_at', 'last_used_at', 'expires_at'])
      .where('user_id', '=', owner)
      .where('revoked_at', 'is', null);
  }

  /** A name that can't be opened is left out: the key may be revoked all the same. */
  private async opened(rows: Row[]): Promise<ApiKey[]> {
    const sealed = rows.map((row) => ({ text: row.name_sealed, field: fieldOf.name(row.id) }));
    const names = await this.sealer.openAll(sealed);
    return rows.map((row) => ({
      id: row.id,
      name: names(row.name_sealed) ?? '',
      scopes: row.scopes,
      createdAt: row.created_at,
      lastUsedAt: row.last_used_at,
      expiresAt: row.expires_at,
    }));
  }
}

const SECRET_LENGTH = 43;
const KEY = /^hf_((?:0|[1-9][0-9]{0,3})_[a-z2-7]{26})_[A-Za-z0-9_-]{43}$/;

/** The id that a key carries, and with it its shard; undefined for what is no key. */
export function idOfKey(key: string): string | undefined {
  const [, id] = KEY.exec(key) ?? [];
  return id === undefined ? undefined : `ak_${id}`;
}

export function isMarkedKey(marker: Pick<Sealer, 'mark'>, id: string, key: string): boolean {
  return isMarked(marker, id, key.slice(-SECRET_LENGTH));
}

/** How its owner stands now, as long as the key is good. */
export async function keyStanding(db: Kysely<Database>, id: string, key: string): Promise<Standing | undefined> {
  const { rows } = await sql<Standing>`
    select u.id as "userId", u.username, u.roles, u.status, k.scopes, k.last_used_at as "lastUsedAt"
    from api_keys k join users u on u.id = k.user_id
    where k.id = ${id} and k.hash = ${secretHash(key)} and k.revoked_at is null and k.expires_at > now()`.execute(db);
  return rows[0];
}

export async function noteKeyUsed(db: Kysely<Database>, id: string): Promise<void> {
  await sql`
    update api_keys set last_used_at = now()
    where id = ${id} and coalesce(last_used_at < now() - interval '1 minute', true)`.execute(db);
}
