import { sql, type Kysely } from 'kysely';

/** What limits and the guard before log-ins need. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- In the row that a movement reads and writes anyway: where there are none, they cost nothing.
    alter table accounts add column limits jsonb, add column limits_used jsonb;

    -- Where a user has logged in from, as keyed hashes: nobody can read an address from them.
    create table login_addresses (
      user_id text not null references users (id),
      address_hash text not null,
      last_at timestamptz not null default now(),
      primary key (user_id, address_hash)
    );
  `.execute(db);
}
