import { sql, type Kysely } from 'kysely';

/** What freezing users, and finding who did what, need. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table users add column status text not null default 'active' check (status in ('active', 'frozen'));

    -- Beside the wallet's own status, so that thawing its owner leaves it as it was.
    alter table accounts add column owner_frozen boolean not null default false;

    -- Whatever names who did it. What a detail begins with is hashed with it, so no event can be slipped out of the list.
    create index events_audit on events (block, index) where detail like '{"by":%';
    create index events_audit_actor on events ((detail::jsonb #>> '{by,actor}'), block, index)
      where detail like '{"by":%';
  `.execute(db);
}
