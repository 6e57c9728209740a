import { sql, type Kysely } from 'kysely';

/** What moving a shard to another database needs. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table shard_identity
      -- active: the one database of this shard that takes writes. fenced: it takes none while it is being moved. moved: it
      -- never will again. copy: it doesn't yet.
      add column state text not null default 'active' check (state in ('active', 'fenced', 'moved', 'copy')),
      -- Source and target of one move have the same.
      add column move_id text,
      add column moved_to text,
      add check ((state = 'moved') = (moved_to is not null));

    -- The code says that the database is read-only, as of a primary that has become a standby: who writes asks again later.
    create function refuse_writes() returns trigger language plpgsql as $$
    begin
      raise exception 'this database takes no writes of its shard' using errcode = '25006';
    end $$;
  `.execute(db);
}
