import { sql, type Kysely } from 'kysely';

/** Keys of personal data, a look-up by e-mail that shows none, and what stays of users who were erased. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- Each is wrapped by a key that is in no database. Where the row is gone, nobody reads again what it sealed.
    create table data_keys (
      owner_id text not null,
      number bigint not null check (number > 0),
      wrapping_key text not null,
      wrapped text not null,
      created_at timestamptz not null default now(),
      primary key (owner_id, number)
    );
    create index data_keys_wrapping on data_keys (wrapping_key, owner_id, number);

    alter table users
      -- A keyed hash of it.
      add column email_index text,
      drop constraint users_status_check,
      add constraint users_status_check check (status in ('active', 'frozen', 'erased')) not valid;
    create index users_email on users (email_index) where email_index is not null;

    -- proposed: waits for a second person.
    create table erasures (
      user_id text primary key references users (id),
      proposed_by text not null,
      proposed_at timestamptz not null default now(),
      confirmed_by text,
      erased_at timestamptz,
      check ((confirmed_by is null) = (erased_at is null))
    );

    -- Keyed hashes of usernames that nobody gets again.
    create table erased_names (name_index text primary key);
  `.execute(db);
}
