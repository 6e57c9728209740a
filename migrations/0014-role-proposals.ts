import { sql, type Kysely } from 'kysely';

/** Roles that one admin has proposed for a user and another has to confirm. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table role_proposals (
      user_id text primary key references users (id),
      roles text[] not null check (cardinality(roles) > 0),
      proposed_by text not null,
      proposed_at timestamptz not null default now()
    );
  `.execute(db);
}
