import { sql, type Kysely } from 'kysely';
import type { UserId } from '../contracts/ids';
import type { Permission } from '../contracts/permissions';
import type { Role, UserStatus } from '../contracts/statuses';
import type { Database } from '../ledger/schema';

/** What a user may do, as their own shard says now. */
export interface Standing {
  userId: UserId;
  username: string;
  roles: Role[];
  status: UserStatus;
  /** What an API key is limited to. */
  scopes?: Permission[];
  /** Of what the user showed, where it is noted at all. */
  lastUsedAt?: Date | null;
}

export async function userStanding(db: Kysely<Database>, userId: UserId): Promise<Standing | undefined> {
  const { rows } = await sql<Standing>`
    select id as "userId", username, roles, status from users where id = ${userId}`.execute(db);
  return rows[0];
}
