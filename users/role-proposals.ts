import type { UserId } from '../contracts/ids';
import type { Role } from '../contracts/statuses';
import type { By } from '../ledger/by';
import { record } from '../ledger/record';
import type { Shards } from '../ledger/shards';

export interface RoleProposal {
  userId: UserId;
  roles: Role[];
  proposedAt: Date;
}

/** What is proposed is forgotten after so long, so that nobody confirms what nobody remembers. */
const VALID = `interval '24 hours'`;

const PROPOSE = `
  insert into role_proposals as p (user_id, roles, proposed_by) values ($1, $2::text[], $3)
  on conflict (user_id) do update set roles = $2::text[], proposed_by = $3, proposed_at = now()
    where p.roles <> $2::text[] or p.proposed_at < now() - ${VALID}
  returning user_id`;

const CONFIRM = `
  with proposal as (
    delete from role_proposals
    where user_id = $1 and roles = $2::text[] and proposed_by <> $3 and proposed_at > now() - ${VALID}
    returning user_id)
  update users set roles = $2::text[] where id in (select user_id from proposal) returning id`;

/** Roles that take two people to give: one proposes all that the user is to have, and another says the same. */
export class RoleProposals {
  constructor(private readonly shards: Shards) {}

  /** False when it is proposed already. */
  propose(userId: UserId, roles: readonly Role[], by: By): Promise<boolean> {
    return this.record('roles_proposed', { name: 'propose-roles', text: PROPOSE }, { userId, roles, by });
  }

  /** False when nobody else has proposed the same. */
  confirm(userId: UserId, roles: readonly Role[], by: By): Promise<boolean> {
    return this.record('roles_changed', { name: 'confirm-roles', text: CONFIRM }, { userId, roles, by });
  }

  async find(userId: UserId): Promise<RoleProposal | undefined> {
    return this.shards
      .forId(userId)!
      .db.selectFrom('role_proposals')
      .select(['user_id as userId', 'roles', 'proposed_at as proposedAt'])
      .where('user_id', '=', userId)
      .executeTakeFirst();
  }

  private record(
    event: string,
    statement: { name: string; text: string },
    { userId, roles, by }: { userId: UserId; roles: readonly Role[]; by: By },
  ): Promise<boolean> {
    return record(this.shards.forId(userId)!, {
      subjectId: userId,
      event,
      detail: { roles },
      change: { ...statement, values: [userId, roles, by.actorId] },
      ...by,
    });
  }
}
