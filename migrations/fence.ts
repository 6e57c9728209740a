import { sql, type Kysely, type Transaction } from 'kysely';
import { grantToApplication, grantToAsk } from './grants';

/** How long the posts under way may take to end, and those that come wait meanwhile. */
const LOCK_WITHIN = '10s';

/** Every table of a shard but what says which one it is, and how it was migrated. One in parts is named as a whole. */
export async function shardTables<DB>(db: Kysely<DB>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`${TABLES} and not relispartition order by 1`.execute(db);
  return rows.map(({ name }) => name);
}

const TABLES = sql`
  select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
    and relname <> 'shard_identity' and relname not like 'kysely\\_%'`;

/**
 * From its commit on, nobody writes: the table locks wait for every transaction that has written, and who comes later
 * meets a trigger that only the tables' owner can take away.
 */
export async function fence<DB>(db: Kysely<DB>, moveId: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`select set_config('lock_timeout', ${LOCK_WITHIN}, true)`.execute(trx);
    // Before the others, as a post does: so a poster and this never wait for each other.
    await sql`lock table chain_head in exclusive mode`.execute(trx);
    await refuseWrites(trx);
    await become(trx, { from: 'active', to: 'fenced' }, sql`move_id = ${moveId}`);
  });
}

export async function unfence<DB>(db: Kysely<DB>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await become(trx, { from: 'fenced', to: 'active' }, sql`move_id = null`);
    await allowWrites(trx);
  });
}

/** There is no way back from here. The application's role may no longer read either: what it would read grows old. */
export async function markMoved<DB>(
  db: Kysely<DB>,
  { moveId, to, appRole }: { moveId: string; to: string; appRole: string },
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await become(trx, { from: 'fenced', to: 'moved', moveId }, sql`moved_to = ${to}`);
    await sql`revoke all on all tables in schema public from ${sql.id(appRole)}`.execute(trx);
    await sql`revoke all on all functions in schema public from ${sql.id(appRole)}`.execute(trx);
    await grantToAsk(trx, appRole);
  });
}

/** Empties what an earlier copy has left; from now on it is this move's. */
export async function beginCopy<DB>(db: Kysely<DB>, moveId: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await become(trx, { from: 'copy', to: 'copy' }, sql`move_id = ${moveId}`);
    await allowWrites(trx);
    const tables = (await shardTables(trx)).map((table) => sql.id(table));
    await sql`truncate ${sql.join(tables)}`.execute(trx);
    await refuseWrites(trx);
  });
}

/** To be done only once the source has moved. */
export async function activate<DB>(
  db: Kysely<DB>,
  { moveId, appRole }: { moveId: string; appRole: string },
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await become(trx, { from: 'copy', to: 'active', moveId });
    await allowWrites(trx);
    await grantToApplication(trx, appRole);
  });
}

type State = 'active' | 'fenced' | 'moved' | 'copy';

/** Whoever else changes the state meanwhile, one of the two finds it changed, and does nothing. */
async function become<DB>(
  trx: Transaction<DB>,
  { from, to, moveId }: { from: State; to: State; moveId?: string },
  also = sql`move_id = move_id`,
): Promise<void> {
  const { rows } = await sql`
    update shard_identity set state = ${to}, ${also}
    where state = ${from} ${moveId === undefined ? sql`` : sql`and move_id = ${moveId}`} returning 1`.execute(trx);
  if (rows.length !== 1) throw new Error(`The database was meant to be ${from} and become ${to}, but it isn't ${from}`);
}

async function refuseWrites<DB>(trx: Transaction<DB>): Promise<void> {
  const { rows } = await sql<{ name: string }>`${TABLES} order by 1`.execute(trx);
  for (const table of rows) {
    const name = sql.id(table.name);
    await sql`create or replace trigger fenced before insert or update or delete or truncate on ${name}
              for each statement execute function refuse_writes()`.execute(trx);
    await sql`alter table ${name} enable trigger fenced`.execute(trx);
  }
}

/** Switched off and not dropped: dropping would wait for those who read. */
async function allowWrites<DB>(trx: Transaction<DB>): Promise<void> {
  const { rows } = await sql<{ table: string }>`
    select c.relname as table from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where t.tgname = 'fenced' and c.relnamespace = 'public'::regnamespace order by 1`.execute(trx);
  for (const { table } of rows) await sql`alter table ${sql.id(table)} disable trigger fenced`.execute(trx);
}
