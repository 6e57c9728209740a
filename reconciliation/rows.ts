import { sql, type Kysely, type Selectable } from 'kysely';
import type { ReconciliationPart } from '../contracts/reconciliation';
import { pageOfShard, type PlacedPage } from '../ledger/places';
import type { Database } from '../ledger/schema';
import type { Finding } from './batch';

/** Of a part that is wrong all over, the first thousand findings say enough. */
const MAX_FINDINGS = 1_000;

export type ReconciliationRow = Selectable<Database['reconciliations']> & { findings: number };

export async function open(db: Kysely<Database>, { id, run, scope }: ReconciliationPart): Promise<void> {
  await db
    .insertInto('reconciliations')
    .values({ id, run, scope })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

export async function addFindings(db: Kysely<Database>, id: string, findings: readonly Finding[]): Promise<void> {
  if (findings.length === 0) return;
  const column = (name: keyof Finding) => findings.map((each) => each[name]);
  await sql`
    insert into reconciliation_findings (reconciliation_id, kind, subject, detail)
    select ${id}, u.* from unnest(${column('kind')}::text[], ${column('subject')}::text[], ${column('detail')}::text[]) u
    limit greatest(0, ${MAX_FINDINGS} -
      (select count(*) from reconciliation_findings where reconciliation_id = ${id}))
    on conflict do nothing`.execute(db);
}

/** Answers with how many findings there are. */
export async function end(
  db: Kysely<Database>,
  id: string,
  how: { status: 'done' | 'failed'; checked: bigint; error?: string },
): Promise<void> {
  await db
    .updateTable('reconciliations')
    .set({ ...how, ended_at: sql`now()` })
    .where('id', '=', id)
    .where('status', '=', 'running')
    .execute();
}

const FINDINGS = sql<number>`(
  select count(*)::integer from reconciliation_findings where reconciliation_id = reconciliations.id)`;

export function find(db: Kysely<Database>, id: string): Promise<ReconciliationRow | undefined> {
  return db
    .selectFrom('reconciliations')
    .selectAll()
    .select(FINDINGS.as('findings'))
    .where('id', '=', id)
    .executeTakeFirst();
}

/** In the order of their names, all there can be. */
export async function findingsOf(db: Kysely<Database>, id: string): Promise<Finding[]> {
  return db
    .selectFrom('reconciliation_findings')
    .select(['kind', 'subject', 'detail'])
    .where('reconciliation_id', '=', id)
    .orderBy('kind')
    .orderBy('subject')
    .execute();
}

export async function list(db: Kysely<Database>, shard: number, page: PlacedPage): Promise<ReconciliationRow[]> {
  const { where, order } = pageOfShard(shard, sql`started_at`, sql`id`, page);
  const { rows } = await sql<ReconciliationRow>`
    select reconciliations.*, ${FINDINGS} as findings from reconciliations where ${where} ${order}`.execute(db);
  return rows;
}
