import { sql, type Kysely } from 'kysely';
import type { Database } from './schema';

/** So many months have their tables of entries and events before they begin. */
const AHEAD = 3;

/** Makes the tables that are missing, and answers with their names. Who reads or posts doesn't wait for it. */
export async function makeMonths(db: Kysely<Database>): Promise<string[]> {
  const { rows } = await sql<{ made: string[] }>`select make_months(now(), ${AHEAD}) as made`.execute(db);
  return rows[0]!.made;
}

/** The tables that there should be by now for this month and those ahead. */
export async function missingMonths(db: Kysely<Database>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from missing_months(now(), ${AHEAD})`.execute(db);
  return rows.map(({ name }) => name);
}
