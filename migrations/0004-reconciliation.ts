import { sql, type Kysely } from 'kysely';

/** What reconciliation reads by, and what it found. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- Transfers between two shards, on both of them.
    create index transactions_crossing on transactions (incoming, created_block, created_index)
      where split_part(from_account, '_', 2) <> split_part(to_account, '_', 2);

    -- One row a part of a run: a shard's own books, what lies between the shards, the bank.
    create table reconciliations (
      id text primary key,
      run text not null,
      scope text not null check (scope in ('books', 'crossings', 'bank')),
      status text not null default 'running' check (status in ('running', 'done', 'failed')),
      checked bigint not null default 0,
      error text,
      -- In whole milliseconds, as pages of lists over all shards count.
      started_at timestamptz(3) not null default now(),
      ended_at timestamptz(3),
      check ((status = 'running') = (ended_at is null))
    );
    create index reconciliations_started on reconciliations (started_at, id);

    -- A part that goes on after a failure may find the same again.
    create table reconciliation_findings (
      reconciliation_id text not null references reconciliations (id),
      kind text not null,
      subject text not null,
      detail text not null,
      primary key (reconciliation_id, kind, subject)
    );

    -- The bank's statement as it was read, each line on the shard of the transaction that it names.
    create table bank_statement_lines (
      settlement_id text primary key,
      kind text not null check (kind in ('collection', 'payout', 'return', 'credit')),
      reference text,
      transaction_id text,
      amount bigint not null,
      currency text not null,
      at timestamptz not null
    );
    create index bank_statement_lines_transaction on bank_statement_lines (transaction_id)
      where transaction_id is not null;
  `.execute(db);
}
