import { sql, type Kysely } from 'kysely';

/** What the accounts had at some blocks. Of an account there is a row only where it moved since the snapshot before. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table snapshots (
      block bigint primary key references blocks (number),
      -- The block's.
      at timestamptz not null,
      made_at timestamptz not null default now()
    );

    create table snapshot_balances (
      account_id text not null references accounts (id),
      block bigint not null references snapshots (block),
      balance bigint not null,
      primary key (account_id, block)
    );
  `.execute(db);
}
