import { sql, type Kysely } from 'kysely';

/** One shard: its users, their accounts, and the books. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table shard_identity (
      only_row boolean primary key default true check (only_row),
      shard integer not null check (shard >= 0),
      shard_count integer not null check (shard_count > shard),
      created_at timestamptz not null default now()
    );

    create table users (
      id text primary key,
      username text not null unique check (username ~ '^[a-z0-9_]{3,32}$'),
      password_hash text not null,
      name_sealed text not null,
      email_sealed text not null,
      roles text[] not null check (roles <@ array['customer', 'ops', 'auditor', 'admin']),
      created_at timestamptz not null default now()
    );

    -- Room on each page lets a balance change stay on it, with no index to touch.
    create table accounts (
      id text primary key,
      kind text not null check (kind in ('user', 'system')),
      owner_id text references users (id),
      currency text not null check (currency ~ '^[A-Z]{3}$'),
      status text not null default 'open' check (status in ('open', 'frozen', 'closed')),
      balance bigint not null default 0,
      held bigint not null default 0,
      version bigint not null default 0,
      created_at timestamptz not null default now(),
      unique (owner_id, currency),
      check ((kind = 'user') = (owner_id is not null)),
      constraint accounts_never_overdrawn check (kind = 'system' or (balance >= held and held >= 0)),
      constraint accounts_closed_empty check (status <> 'closed' or (balance = 0 and held = 0))
    ) with (fillfactor = 50);

    -- The chain's head: its row lock is what makes one poster at a time write to the shard.
    create table chain_head (
      only_row boolean primary key default true check (only_row),
      block bigint not null,
      hash bytea not null,
      at timestamptz not null
    ) with (fillfactor = 10);
    insert into chain_head (block, hash, at) values (0, decode(repeat('00', 32), 'hex'), '2000-01-01');

    create table blocks (
      number bigint primary key,
      at timestamptz not null,
      previous_hash bytea not null,
      hash bytea not null check (length(hash) = 32),
      entries integer not null,
      events integer not null
    );

    create table transactions (
      id text primary key,
      type text not null,
      status text not null check (status in
        ('pending', 'awaiting_approval', 'needs_attention', 'completed', 'rejected', 'cancelled')),
      actor_id text not null,
      from_account text not null,
      to_account text,
      to_name_sealed text,
      amount bigint not null check (amount > 0),
      currency text not null,
      message_sealed text,
      command_hash text not null,
      reason text,
      -- While it is open: the workflow that will end it.
      owner_workflow text,
      created_block bigint not null,
      created_index integer not null,
      created_at timestamptz not null,
      final_block bigint,
      completed_at timestamptz,
      check ((status in ('completed', 'rejected', 'cancelled')) = (completed_at is not null)),
      check ((status in ('completed', 'rejected', 'cancelled')) = (final_block is not null))
    ) with (fillfactor = 90);
    create unique index transactions_created on transactions (created_block, created_index);
    -- One direction for all columns of these: pages compare and order by all three, which no other index can give.
    create index transactions_from on transactions (from_account, created_block, created_index);
    create index transactions_unmoved on transactions (from_account, created_block, created_index)
      where status <> 'completed';
    create index transactions_to on transactions (to_account, created_block, created_index) where status = 'completed';
    create index transactions_open on transactions (created_block)
      where status in ('pending', 'awaiting_approval', 'needs_attention');

    -- A step done, or forbidden for ever (a tombstone): whichever comes first, and never both.
    create table steps (
      transaction_id text not null,
      step text not null,
      outcome text not null check (outcome in ('done', 'tombstone')),
      block bigint not null,
      primary key (transaction_id, step)
    );

    create table holds (
      transaction_id text not null,
      step text not null,
      account_id text not null references accounts (id),
      amount bigint not null check (amount > 0),
      status text not null check (status in ('held', 'captured', 'released')),
      expires_at timestamptz,
      block bigint not null,
      primary key (transaction_id, step)
    );
    create index holds_pending on holds (account_id) where status = 'held';

    create table entries (
      block bigint not null,
      index integer not null,
      transaction_id text not null,
      account_id text not null,
      currency text not null,
      amount bigint not null check (amount <> 0),
      balance_after bigint not null,
      primary key (block, index)
    );
    create index entries_account on entries (account_id, block, index);

    -- What happened, in order: a transaction's timeline and a wallet's changes of status.
    create table events (
      block bigint not null,
      index integer not null,
      subject_id text not null,
      kind text not null,
      -- JSON, kept as the exact text that was hashed.
      detail text not null,
      primary key (block, index)
    );
    create index events_subject on events (subject_id, block, index);
  `.execute(db);

  await sql`
    create function entries_sum_to_zero() returns trigger language plpgsql as $$
    begin
      if exists (
        select from added group by block, transaction_id, currency having sum(amount) <> 0
      ) then
        raise exception 'entries of a transaction do not sum to zero' using errcode = 'HF001';
      end if;
      return null;
    end $$;
    create trigger entries_sum_to_zero after insert on entries
      referencing new table as added for each statement execute function entries_sum_to_zero();
  `.execute(db);

  // A set-based write says how many rows it meant to touch. Asserting that in SQL lets COMMIT travel in the same round
  // trip: an untrue count raises, and the COMMIT behind it rolls back.
  await sql`
    create function assert_rows(touched bigint, meant bigint, what text) returns void language plpgsql as $$
    begin
      if touched <> meant then
        raise exception 'meant to write % rows of %, wrote %', meant, what, touched using errcode = 'HF002';
      end if;
    end $$;
  `.execute(db);
}
