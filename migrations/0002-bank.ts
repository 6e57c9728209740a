import { sql, type Kysely } from 'kysely';

/** What deposits, withdrawals, refunds and those who decide about them need. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table transactions
      -- The transaction this one answers: what a refund gives back, what a reversal undoes.
      add column linked_to text,
      -- The bank account on the other side of a deposit or withdrawal.
      add column bank_account_id text,
      -- How much of it refunds have given back.
      add column refunded bigint not null default 0,
      add constraint transactions_refunded check (refunded >= 0 and refunded <= amount);
    create index transactions_linked on transactions (linked_to) where linked_to is not null;
    create index transactions_attention on transactions (created_block, created_index)
      where status = 'needs_attention' or status = 'awaiting_approval';

    -- What is on its way from the bank, for its owner to follow.
    create index transactions_arriving on transactions (to_account, created_block, created_index)
      where type = 'deposit' and status <> 'completed';

    -- What people decided about a transaction: written with the books, and never changed.
    create table decisions (
      id text primary key,
      transaction_id text not null,
      kind text not null check (kind in ('approve', 'reject', 'retry', 'cancel', 'resolve')),
      actor_id text not null,
      role text not null,
      -- What a resolve is to end with.
      outcome text check (outcome in ('completed', 'cancelled')),
      note_sealed text,
      -- proposed: waits for a second person.
      state text not null check (state in ('proposed', 'final')),
      block bigint not null,
      index integer not null,
      unique (block, index),
      check ((kind = 'resolve') = (outcome is not null)),
      check (kind = 'resolve' or state = 'final')
    );
    create index decisions_transaction on decisions (transaction_id);

    create table bank_accounts (
      id text primary key,
      owner_id text not null references users (id),
      bank_code text not null,
      -- holder and number, as JSON.
      details_sealed text not null,
      -- The same account added twice is found by this, a keyed hash.
      fingerprint text not null,
      masked_number text not null,
      status text not null default 'unverified' check (status in ('unverified', 'verified', 'refused')),
      reason text,
      created_at timestamptz not null default now(),
      unique (owner_id, fingerprint)
    );

    -- Each wallet's number at our bank, for money sent to it.
    create table virtual_accounts (
      number text primary key,
      account_id text not null unique references accounts (id),
      created_at timestamptz not null default now()
    );

    -- What was, or may have been, sent to the bank; written before it is sent.
    create table bank_requests (
      reference text primary key,
      transaction_id text not null,
      step text not null,
      attempt integer not null check (attempt > 0),
      state text not null check (state in
        ('sending', 'accepted', 'settled', 'refused', 'returned', 'voiding', 'voided')),
      amount bigint,
      currency text,
      settlement_id text,
      reason text,
      updated_at timestamptz not null default now(),
      unique (transaction_id, step, attempt)
    );

    -- What the bank told us by itself, kept before it is answered.
    create table bank_inbox (
      event_id text primary key,
      kind text not null check (kind in ('fact', 'credit')),
      -- A fact's reference; a credit's own number.
      subject text not null,
      transaction_id text,
      -- The event as JSON; a payer's name in it is sealed.
      event text not null,
      status text not null default 'new' check (status in ('new', 'done', 'needs_attention')),
      reason text,
      received_at timestamptz not null default now(),
      done_at timestamptz,
      -- Who put it away by hand, and why.
      done_by text,
      note_sealed text
    );
    create index bank_inbox_open on bank_inbox (received_at) where status <> 'done';
    create index bank_inbox_transaction on bank_inbox (transaction_id) where transaction_id is not null;

    -- What people are to be told, one row a channel and event of the books.
    create table notifications (
      id text primary key,
      transaction_id text not null,
      kind text not null,
      channel text not null,
      recipient_id text,
      status text not null default 'due' check (status in ('due', 'sent', 'given_up')),
      attempts integer not null default 0,
      next_at timestamptz not null default now(),
      last_error text,
      created_at timestamptz not null default now()
    );
    create index notifications_due on notifications (channel, next_at) where status = 'due';

    -- How far a reader of the chain has come.
    create table cursors (name text primary key, block bigint not null);
  `.execute(db);
}
