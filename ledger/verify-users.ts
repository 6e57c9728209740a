import { sql, type Kysely } from 'kysely';
import type { Database } from './schema';
import type { Found } from './verify';

const AT_ONCE = 500;

interface Row {
  id: string;
  roles: string[];
  status: string;
  told_roles: string[];
  told_status: string;
  stray_wallets: boolean;
}

/** What users may do is what the chain says they were given: nobody has become an admin behind its back. */
export async function checkUsers(books: Kysely<Database>, after: string, found: Found): Promise<string | undefined> {
  const { rows } = await sql<Row>`
    select u.id, u.roles, u.status, coalesce(
        (select array(select jsonb_array_elements_text(detail::jsonb -> 'roles')) from events
          where subject_id = u.id and kind in ('user_created', 'roles_changed')
          order by at desc, block desc, index desc limit 1), '{customer}') as told_roles,
      coalesce((select case kind when 'user_frozen' then 'frozen' when 'user_erased' then 'erased' else 'active' end
        from events where subject_id = u.id and kind in ('user_frozen', 'user_unfrozen', 'user_erased')
        order by at desc, block desc, index desc limit 1), 'active') as told_status,
      exists (select from accounts where owner_id = u.id and owner_frozen <> (u.status <> 'active')) as stray_wallets
    from users u where u.id > ${after} order by u.id limit ${AT_ONCE}`.execute(books);
  for (const { id, roles, status, told_roles: told, told_status: toldStatus, stray_wallets: isStray } of rows) {
    if (!roles.every((role) => told.includes(role))) {
      found('roles', id, `has ${roles.join()}, was given ${told.join()}`);
    }
    if (status !== toldStatus) found('user_status', id, `is ${status}, the last event says ${toldStatus}`);
    if (isStray) found('user_status', id, `is ${status}, and not all wallets say so`);
  }
  return rows.at(-1)?.id;
}

interface KeyRow {
  id: string;
  user_id: string;
  scopes: string[];
  expires_at: Date;
  revoked: boolean;
  made: string | null;
  told_revoked: boolean;
}

/** What an API key may do is what the chain says it was made for: nobody has slipped one in, or brought one back. */
export async function checkApiKeys(books: Kysely<Database>, after: string, found: Found): Promise<string | undefined> {
  const { rows } = await sql<KeyRow>`
    select k.id, k.user_id, k.scopes, k.expires_at, k.revoked_at is not null as revoked,
      m.detail as made,
      exists (select from events where subject_id = k.id and kind = 'api_key_revoked')
        or exists (select from events e where e.subject_id = k.user_id and (e.block, e.index) > (m.block, m.index)
          and (kind = 'user_erased' or detail::jsonb ->> 'apiKeys' = 'revoked')) as told_revoked
    from api_keys k left join lateral (
      select detail, block, index from events where subject_id = k.id and kind = 'api_key_made'
      order by at, block, index limit 1) m on true
    where k.id > ${after} order by k.id limit ${AT_ONCE}`.execute(books);
  for (const row of rows) {
    const detail = wrongInKey(row);
    if (detail !== undefined) found('api_key', row.id, detail);
  }
  return rows.at(-1)?.id;
}

function wrongInKey({ user_id: owner, scopes, expires_at: expiresAt, ...row }: KeyRow): string | undefined {
  if (row.made === null) return 'is there, and no event made it';
  const made = JSON.parse(row.made) as { owner: string; scopes: string[]; expiresAt: string };
  if (made.owner !== owner) return `is ${owner}'s, was made for ${made.owner}`;
  if (!scopes.every((scope) => made.scopes.includes(scope)))
    return `has ${scopes.join()}, was given ${made.scopes.join()}`;
  if (expiresAt > new Date(made.expiresAt)) return `ends ${expiresAt.toISOString()}, was to end ${made.expiresAt}`;
  return row.told_revoked && !row.revoked ? 'is good, the last event says revoked' : undefined;
}
