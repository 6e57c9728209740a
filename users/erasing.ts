import { CompiledQuery, sql } from 'kysely';
import type { UserId } from '../contracts/ids';
import type { By } from '../ledger/by';
import { record } from '../ledger/record';
import type { Sealer } from '../ledger/seal';
import type { Shard, Shards } from '../ledger/shards';
import type { User } from './store';

export interface Erasure {
  userId: UserId;
  state: 'proposed' | 'erased';
  proposedAt: Date;
  erasedAt: Date | null;
}

/** What is proposed is forgotten after so long, so that nobody confirms what nobody remembers. */
const VALID = `interval '24 hours'`;

const PROPOSE = `
  insert into erasures as e (user_id, proposed_by) values ($1, $2)
  on conflict (user_id) do update set proposed_by = $2, proposed_at = now()
    where e.erased_at is null and e.proposed_at < now() - ${VALID}
  returning user_id`;

const OPEN = `('pending', 'awaiting_approval', 'needs_attention')`;

/** Until then a bank may return a payout, and somebody has to know whose it was. */
const RETURNED_WITHIN = `interval '30 days'`;

/** Nothing that the user is part of is under way, or may come back. */
const IS_QUIET = `
  not exists (select from transactions where status in ${OPEN} and (actor_id = $1
    or from_account in (select id from accounts where owner_id = $1)
    or to_account in (select id from accounts where owner_id = $1)))
  and not exists (select from transactions where type = 'withdrawal' and status = 'completed'
    and completed_at > now() - ${RETURNED_WITHIN} and from_account in (select id from accounts where owner_id = $1))`;

const POSSIBLE = `
  select from users where id = $1 and ${IS_QUIET}
    and not exists (select from accounts where owner_id = $1 and (balance <> 0 or held <> 0))`;

/**
 * The name is changed for one that says nothing, the keys are deleted, and with them everything that they sealed. What
 * the bank accounts' rows show besides goes, too, and whatever signs them in. Entries, transactions and events stay as they were hashed.
 */
const ERASE = (condition: string) => `
  with gone as (
    update users set status = 'erased', username = $2, name_sealed = '', email_sealed = '', email_index = null,
      password_hash = ''
    where id = $1 and status <> 'erased' and ${condition} and ${IS_QUIET}
      and not exists (select from accounts where owner_id = $1 and status <> 'closed')
    returning id),
  keys as (delete from data_keys where owner_id in (select id from gone)),
  banks as (
    update bank_accounts set details_sealed = '', fingerprint = id, masked_number = '****'
    where owner_id in (select id from gone)),
  sessions_of as (delete from sessions where user_id in (select id from gone)),
  api_keys_of as (
    update api_keys set revoked_at = now() where user_id in (select id from gone) and revoked_at is null),
  logins_of as (delete from login_addresses where user_id in (select id from gone)),
  identities_of as (delete from identities where user_id in (select id from gone)),
  wallets as (update accounts set owner_frozen = true where owner_id in (select id from gone)),
  names as (insert into erased_names (name_index) select $3 from gone on conflict do nothing)
  insert into erasures (user_id, proposed_by, confirmed_by, erased_at) select id, $4, $4, now() from gone
  on conflict (user_id) do update set confirmed_by = $4, erased_at = now()
  returning user_id`;

const PROPOSED_BY_ANOTHER = `
  exists (select from erasures where user_id = $1 and proposed_by <> $4 and proposed_at > now() - ${VALID})`;

/** Users who are to be forgotten while the books stay whole: two people have to say so, and no money may be left. */
export class Erasures {
  constructor(
    private readonly shards: Shards,
    private readonly sealer: Sealer,
  ) {}

  async find(userId: UserId): Promise<Erasure | undefined> {
    const row = await this.shardOf(userId)
      .db.selectFrom('erasures')
      .selectAll()
      .where('user_id', '=', userId)
      .executeTakeFirst();
    if (!row) return undefined;
    const { proposed_at: proposedAt, erased_at: erasedAt } = row;
    return { userId, state: erasedAt === null ? 'proposed' : 'erased', proposedAt, erasedAt };
  }

  /** Whether no money is left, and nothing under way. */
  async isPossible(userId: UserId): Promise<boolean> {
    const { rows } = await this.shardOf(userId).db.executeQuery(CompiledQuery.raw(POSSIBLE, [userId]));
    return rows.length > 0;
  }

  /** Whether there is somebody else's proposal now that this one may confirm. */
  async isProposedByAnother(userId: UserId, actorId: UserId): Promise<boolean> {
    const { rows } = await sql`
      select from erasures where user_id = ${userId} and proposed_by <> ${actorId} and erased_at is null
        and proposed_at > now() - ${sql.raw(VALID)}`.execute(this.shardOf(userId).db);
    return rows.length > 0;
  }

  propose(userId: UserId, by: By): Promise<boolean> {
    return record(this.shardOf(userId), {
      subjectId: userId,
      event: 'erasure_proposed',
      change: { name: 'propose-erasure', text: PROPOSE, values: [userId, by.actorId] },
      ...by,
    });
  }

  /** Closes what is open and empty, and erases. False where there is something left, or nobody else has proposed it. */
  confirm(user: User, by: By): Promise<boolean> {
    return this.erase(user, by, PROPOSED_BY_ANOTHER);
  }

  /** Once more on a shard that was restored to before it. */
  repeat(user: User, by: By): Promise<boolean> {
    return this.erase(user, by, 'true');
  }

  private async erase({ id, username }: User, by: By, condition: string): Promise<boolean> {
    const shard = this.shardOf(id);
    if (!(await closeWallets(shard, id, by))) return false;
    const values = [id, nameWithoutOne(id), this.sealer.index('username', username), by.actorId];
    const isErased = await record(shard, {
      subjectId: id,
      event: 'user_erased',
      change: { name: condition === 'true' ? 'repeat-erasure' : 'erase-user', text: ERASE(condition), values },
      ...by,
    });
    if (isErased) this.sealer.keys.forgetOwner(id);
    return isErased;
  }

  private shardOf(userId: UserId): Shard {
    return this.shards.forId(userId)!;
  }
}

async function closeWallets({ db, poster }: Shard, owner: UserId, by: By): Promise<boolean> {
  const open = await db
    .selectFrom('accounts')
    .select('id')
    .where('owner_id', '=', owner)
    .where('status', '<>', 'closed')
    .execute();
  if (open.length === 0) return true;
  const outcomes = await poster.post(open.map(({ id }) => ({ kind: 'close' as const, accountId: id, ...by })));
  return outcomes.every((outcome) => outcome.kind === 'wallet' && outcome.status === 'closed');
}

/** Unlike every other's, and a username by its form. */
function nameWithoutOne(id: UserId): string {
  return `erased_${id.slice(id.lastIndexOf('_') + 1, -1)}`;
}
