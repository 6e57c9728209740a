import { sql } from 'kysely';
import type { Session } from './session';

/** What the source has of the past has its tables on the target, too; those of months ahead come with the migrations. */
export async function makeMonthsOf(source: Session, target: Session): Promise<void> {
  const { rows } = await sql<{ month: Date }>`
    select distinct date_trunc('month', at, 'UTC') as month from blocks`.execute(source);
  const months = rows.map(({ month }) => month.toISOString());
  await sql`select make_months(month, 0) from unnest(${months}::timestamptz[]) as month`.execute(target);
}
