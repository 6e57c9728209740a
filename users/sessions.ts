import { sql, type Kysely } from 'kysely';
import type { UserId } from '../contracts/ids';
import type { Role } from '../contracts/statuses';
import { SYSTEM, type By } from '../ledger/by';
import { newSessionId } from '../ledger/identity';
import { record } from '../ledger/record';
import type { Database } from '../ledger/schema';
import { fieldOf, type Sealer } from '../ledger/seal';
import type { Shard, Shards } from '../ledger/shards';
import { KEYS_REVOKED, revokedKeys } from './api-keys';
import { isMarked, newSecret, secretHash } from './secrets';
import type { Standing } from './standing';

/** From where somebody signs in, as they say themselves. */
export interface Client {
  address?: string | undefined;
  userAgent?: string | undefined;
}

export interface StartedSession {
  sessionId: string;
  refreshToken: string;
  expiresAt: Date;
}

export interface RefreshedSession extends StartedSession {
  userId: UserId;
  username: string;
  roles: Role[];
}

export interface LiveSession {
  id: string;
  address: string | null;
  userAgent: string | null;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
}

/** By which request, and from where, of a user's. */
type TraceFor = (userId: UserId) => Promise<Partial<By>>;

export type EndReason = 'logged_out' | 'ended_by_staff' | 'token_reused';

const MAX_LISTED = 200;
const MAX_AGENT = 200;

/** Who is frozen gets none, nor who knows a password that was changed meanwhile. Where the user's old ones were from is forgotten with this. */
const START = `
  with forgotten as (
    delete from sessions where user_id = $2 and coalesce(ended_at, expires_at) < now() - interval '30 days')
  insert into sessions (id, user_id, family_hash, refresh_hash, address_sealed, agent_sealed, expires_at)
  select $1, id, $3, $4, $5, $6, $7 from users
  where id = $2 and status = 'active' and password_hash = $8 returning id`;
const END = 'update sessions set ended_at = now() where id = $1 and user_id = $2 and ended_at is null returning id';
const END_ALL = `
  with ended as (update sessions set ended_at = now() where user_id = $1 and ended_at is null returning id),
    ${revokedKeys('$1', '$2')}
  select id from ended union all select id from revoked`;
/** The part of the token that stays is right, so it was this session's; the other part has been used before. */
const END_REUSED = `
  update sessions set ended_at = now() where id = $1 and family_hash = $2 and refresh_hash <> $3 and ended_at is null
  returning id`;

/** Sessions on their users' shards. */
export class Sessions {
  constructor(
    private readonly shards: Shards,
    private readonly sealer: Sealer,
    private readonly ttlSeconds: number,
  ) {}

  /** Undefined for a user who is not there any more, frozen, or has another password by now. */
  async start(
    { id: userId, passwordHash }: { id: UserId; passwordHash: string },
    client: Client,
    by: By,
  ): Promise<StartedSession | undefined> {
    const shard = this.shards.forId(userId)!;
    const sessionId = newSessionId(shard.number);
    const [family, secret] = [newSecret(this.sealer, sessionId), newSecret(this.sealer, sessionId)];
    const expiresAt = new Date(Date.now() + this.ttlSeconds * 1_000);
    const hashes = [secretHash(family), secretHash(secret)];
    const { address, agent } = await this.sealed(userId, sessionId, client);
    const values = [sessionId, userId, ...hashes, address, agent, expiresAt, passwordHash];
    const isStarted = await record(shard, {
      subjectId: sessionId,
      event: 'session_started',
      detail: { user: userId },
      change: { name: 'start-session', text: START, values },
      ...by,
    });
    return isStarted ? { sessionId, refreshToken: writeToken({ sessionId, family, secret }), expiresAt } : undefined;
  }

  /** Whether a refresh token shows by itself that we made it; those from before they were marked don't. */
  isMarked(token: string): boolean {
    const parts = readToken(token);
    return parts !== undefined && isMarked(this.sealer, parts.sessionId, parts.secret);
  }

  /**
   * Each refresh token is good once. One that was used before is in two hands, and nobody knows whose are the right ones:
   * its session ends.
   */
  async refresh(token: string, client: Client, trace: TraceFor): Promise<RefreshedSession | undefined> {
    const parts = readToken(token);
    const shard = parts && this.shards.forId(parts.sessionId);
    if (!shard) return undefined;
    const { sessionId, family } = parts;
    const secret = newSecret(this.sealer, sessionId);
    const owner = await ownerOf(shard.db, sessionId);
    if (owner === undefined) return undefined;
    const { address, agent } = await this.sealed(owner, sessionId, client);
    const { rows } = await sql<Omit<RefreshedSession, 'sessionId' | 'refreshToken'>>`
      update sessions s set refresh_hash = ${secretHash(secret)}, last_used_at = now(), address_sealed = ${address},
        agent_sealed = ${agent}
      from users u
      where s.id = ${sessionId} and s.family_hash = ${secretHash(family)} and s.refresh_hash = ${secretHash(parts.secret)}
        and s.ended_at is null and s.expires_at > now() and u.id = s.user_id and u.status = 'active'
      returning u.id as "userId", u.username, u.roles, s.expires_at as "expiresAt"`.execute(shard.db);
    const [found] = rows;
    if (found) return { ...found, sessionId, refreshToken: writeToken({ sessionId, family, secret }) };
    await this.endReused(shard, parts, trace);
    return undefined;
  }

  private async endReused(shard: Shard, parts: TokenParts, trace: TraceFor): Promise<void> {
    const values = [parts.sessionId, secretHash(parts.family), secretHash(parts.secret)];
    const { rows } = await sql<{ user_id: string }>`
      select user_id from sessions
      where id = ${values[0]} and family_hash = ${values[1]} and refresh_hash <> ${values[2]} and ended_at is null
      `.execute(shard.db);
    const [session] = rows;
    if (!session) return;
    await record(shard, {
      ...ended(parts.sessionId, session.user_id, 'token_reused'),
      change: { name: 'end-reused-session', text: END_REUSED, values },
      ...SYSTEM,
      ...(await trace(session.user_id)),
    });
  }

  /** False for one that is not the user's, or has ended. */
  end(userId: UserId, sessionId: string, by: By): Promise<boolean> {
    return record(this.shards.forId(userId)!, {
      ...ended(sessionId, userId, 'logged_out'),
      change: { name: 'end-session', text: END, values: [sessionId, userId] },
      ...by,
    });
  }

  /** False when there is none, nor an API key that is to end with them. */
  endAll(userId: UserId, { why, revokeApiKeys }: { why: EndReason; revokeApiKeys: boolean }, by: By): Promise<boolean> {
    return record(this.shards.forId(userId)!, {
      subjectId: userId,
      event: 'sessions_ended',
      detail: { why, ...(revokeApiKeys && KEYS_REVOKED) },
      change: { name: 'end-sessions', text: END_ALL, values: [userId, revokeApiKeys] },
      ...by,
    });
  }

  /** Those that are good, newest first. */
  async list(userId: UserId): Promise<LiveSession[]> {
    const rows = await this.shards
      .forId(userId)!
      .db.selectFrom('sessions')
      .select(['id', 'address_sealed', 'agent_sealed', 'created_at', 'last_used_at', 'expires_at'])
      .where('user_id', '=', userId)
      .where('ended_at', 'is', null)
      .where('expires_at', '>', sql<Date>`now()`)
      .orderBy('created_at', 'desc')
      .orderBy('id')
      .limit(MAX_LISTED)
      .execute();
    const sealed = rows.flatMap((row) => [
      { text: row.address_sealed, field: fieldOf.address(row.id) },
      { text: row.agent_sealed, field: fieldOf.agent(row.id) },
    ]);
    const opened = await this.sealer.openAll(sealed);
    return rows.map((row) => ({
      id: row.id,
      address: opened(row.address_sealed),
      userAgent: opened(row.agent_sealed),
      createdAt: row.created_at,
      lastUsedAt: row.last_used_at,
      expiresAt: row.expires_at,
    }));
  }

  private async sealed(
    owner: UserId,
    sessionId: string,
    { address, userAgent }: Client,
  ): Promise<{ address: string | null; agent: string | null }> {
    const seal = (field: string, text: string | undefined) =>
      text === undefined ? null : this.sealer.seal(owner, field, text);
    return {
      address: await seal(fieldOf.address(sessionId), address),
      agent: await seal(fieldOf.agent(sessionId), userAgent?.slice(0, MAX_AGENT)),
    };
  }
}

const ended = (sessionId: string, userId: UserId, why: EndReason) => ({
  subjectId: sessionId,
  event: 'session_ended',
  detail: { user: userId, why },
});

async function ownerOf(db: Kysely<Database>, sessionId: string): Promise<UserId | undefined> {
  const row = await db.selectFrom('sessions').select('user_id').where('id', '=', sessionId).executeTakeFirst();
  return row?.user_id;
}

/** How its user stands now, as long as the session is good. */
export async function sessionStanding(db: Kysely<Database>, sessionId: string): Promise<Standing | undefined> {
  const { rows } = await sql<Standing>`
    select u.id as "userId", u.username, u.roles, u.status, s.last_used_at as "lastUsedAt"
    from sessions s join users u on u.id = s.user_id
    where s.id = ${sessionId} and s.ended_at is null and s.expires_at > now()`.execute(db);
  return rows[0];
}

export async function noteSessionUsed(db: Kysely<Database>, sessionId: string): Promise<void> {
  await sql`update sessions set last_used_at = now() where id = ${sessionId} and last_used_at < now() - interval '1 minute'`.execute(
    db,
  );
}

interface TokenParts {
  sessionId: string;
  /** The same for as long as the session lasts: whoever knows it had a token of this session once. */
  family: string;
  secret: string;
}

const TOKEN = /^(se_(?:0|[1-9][0-9]{0,3})_[a-z2-7]{26})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;

function writeToken({ sessionId, family, secret }: TokenParts): string {
  return `${sessionId}.${family}.${secret}`;
}

function readToken(token: string): TokenParts | undefined {
  const [, sessionId, family, secret] = TOKEN.exec(token) ?? [];
  return sessionId === undefined ? undefined : { sessionId, family: family!, secret: secret! };
}
