import { sql, type Kysely } from 'kysely';

/** Sessions, API keys, and who is whom at another issuer of tokens. Of what a client shows, only hashes are kept. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table sessions (
      id text primary key,
      user_id text not null references users (id),
      -- Of the part of a refresh token that stays the same, and of the part that every refresh changes.
      family_hash bytea not null check (length(family_hash) = 32),
      refresh_hash bytea not null check (length(refresh_hash) = 32),
      address_sealed text,
      agent_sealed text,
      created_at timestamptz not null default now(),
      last_used_at timestamptz not null default now(),
      expires_at timestamptz not null,
      ended_at timestamptz
    );
    create index sessions_user on sessions (user_id, created_at);

    create table api_keys (
      id text primary key,
      user_id text not null references users (id),
      name_sealed text not null,
      hash bytea not null check (length(hash) = 32),
      scopes text[] not null check (cardinality(scopes) > 0),
      created_at timestamptz not null default now(),
      last_used_at timestamptz,
      expires_at timestamptz not null,
      revoked_at timestamptz
    );
    create index api_keys_user on api_keys (user_id, created_at);

    create table identities (
      user_id text not null references users (id),
      issuer text not null,
      -- A subject may say who it is.
      subject_hash bytea not null check (length(subject_hash) = 32),
      linked_at timestamptz not null default now(),
      primary key (user_id, issuer),
      unique (issuer, subject_hash)
    );
  `.execute(db);
}
