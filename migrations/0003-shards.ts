import { sql, type Kysely } from 'kysely';

/** What transfers between two shards need. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- Written on the target's shard for a transfer that started on another one: so that both parties can read it.
    alter table transactions add column incoming boolean not null default false;
  `.execute(db);
}
