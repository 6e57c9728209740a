import { sql, type Kysely } from 'kysely';
import type { Database } from './schema';
import type { Finding } from './verify';

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
export async function checkUsers(books: Kysely<Database>, found: (finding: Finding) => void): Promise<void> {
  for (let after = ''; ;) {
    const { rows } = await sql<Row>`
      select u.id, u.roles, u.status, coalesce(
          (select array(select jsonb_array_elements_text(detail::jsonb -> 'roles')) from events
            where subject_id = u.id and kind in ('user_created', 'roles_changed')
            order by at desc, block desc, index desc limit 1), '{customer}') as told_roles,
        coalesce((select case kind when 'user_frozen' then 'frozen' else 'active' end from events
          where subject_id = u.id and kind in ('user_frozen', 'user_unfrozen')
          order by at desc, block desc, index desc limit 1), 'active') as told_status,
        exists (select from accounts where owner_id = u.id and owner_frozen <> (u.status = 'frozen')) as stray_wallets
      from users u where u.id > ${after} order by u.id limit ${AT_ONCE}`.execute(books);
    for (const row of rows) for (const finding of findingsOf(row)) found(finding);
    const last = rows.at(-1);
    if (!last) return;
    after = last.id;
  }
}

function findingsOf({ id, roles, status, told_roles: told, told_status: toldStatus, stray_wallets }: Row): Finding[] {
  const findings: Finding[] = [];
  if (!roles.every((role) => told.includes(role))) {
    findings.push({ kind: 'roles', subject: id, detail: `has ${roles.join()}, was given ${told.join()}` });
  }
  if (status !== toldStatus) {
    findings.push({ kind: 'user_status', subject: id, detail: `is ${status}, the last event says ${toldStatus}` });
  }
  if (stray_wallets) {
    findings.push({ kind: 'user_status', subject: id, detail: `is ${status}, and not all wallets say so` });
  }
  return findings;
}
