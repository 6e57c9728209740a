import { sql, type Kysely } from 'kysely';
import type { By } from '../ledger/by';
import { record } from '../ledger/record';
import type { Database } from '../ledger/schema';
import type { Shard } from '../ledger/shards';
import { secretHash } from './secrets';
import type { Standing } from './standing';

/** Who somebody is at another issuer of tokens. */
export interface Identity {
  issuer: string;
  subject: string;
  username: string;
}

const LINK = `
  insert into identities (user_id, issuer, subject_hash) values ($1, $2, $3) on conflict do nothing returning user_id`;

/**
 * The user of that name, who from the first sight on is that one person at the issuer: whoever is given the name there
 * later is somebody else. Undefined when nobody has the name here.
 */
export async function identityStanding(
  shard: Shard,
  identity: Identity,
  trace: Partial<By>,
): Promise<(Standing & { isTheirs: boolean }) | undefined> {
  const found = await find(shard.db, identity);
  if (!found || found.isTheirs !== null) return found as Standing & { isTheirs: boolean };
  const { userId, status } = found;
  if (status === 'active') await link(shard, userId, identity, trace);
  const linked = await find(shard.db, identity);
  // Another user of this shard may be that person already.
  return linked && { ...linked, isTheirs: linked.isTheirs ?? false };
}

async function find(
  db: Kysely<Database>,
  { issuer, subject, username }: Identity,
): Promise<(Standing & { isTheirs: boolean | null }) | undefined> {
  const { rows } = await sql<Standing & { isTheirs: boolean | null }>`
    select u.id as "userId", u.username, u.roles, u.status, i.subject_hash = ${secretHash(subject)} as "isTheirs"
    from users u left join identities i on i.user_id = u.id and i.issuer = ${issuer}
    where u.username = ${username}`.execute(db);
  return rows[0];
}

async function link(shard: Shard, userId: string, { issuer, subject }: Identity, trace: Partial<By>): Promise<void> {
  await record(shard, {
    subjectId: userId,
    event: 'identity_linked',
    detail: { issuer },
    change: { name: 'link-identity', text: LINK, values: [userId, issuer, secretHash(subject)] },
    actorId: userId,
    ...trace,
  });
}
