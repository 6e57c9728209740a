import pg from 'pg';

const INT8 = 20;
const STATEMENT_TIMEOUT_MS = 10_000;

type Parser = (value: string) => unknown;

export type Pool = pg.Pool;
export type Queryable = Pick<pg.Pool, 'query'>;

/** Postgres's bigint is JavaScript's, never a float. */
export function openPool(databaseUrl: string, onError: (error: Error) => void): Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    application_name: 'holdfast bank',
    max: 12,
    connectionTimeoutMillis: 5_000,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary'): Parser =>
        oid === INT8 && format !== 'binary' ? BigInt : (pg.types.getTypeParser(oid, format) as Parser),
    },
  });
  pool.on('error', onError); // an idle connection that broke; the next query gets another
  // Of one in use its query tells; unheard, this second word of it would end the whole process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

export async function inTransaction<T>(pool: Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    client.release();
    return result;
  } catch (error) {
    // Closed rather than rolled back: it may be the connection that failed.
    client.release(true);
    throw error;
  }
}

/** Made at every start: each statement finds done what was done. */
export async function ensureTables(pool: Pool): Promise<void> {
  await inTransaction(pool, async (client) => {
    await client.query(`select pg_advisory_xact_lock(7310)`); // two that start at once take turns
    await client.query(TABLES);
  });
}

const TABLES = `
  create table if not exists requests (
    reference text primary key,
    seq bigint generated always as identity,
    -- Without what was asked for, it was voided before it came.
    kind text check (kind in ('collection', 'payout')),
    amount bigint check (amount > 0),
    currency text,
    holder text,
    number text,
    bank_code text,
    -- travelling: sent, but not here yet.
    state text not null check (state in ('travelling', 'accepted', 'settled', 'refused', 'returned', 'voided')),
    reason text,
    -- What is to become of it, decided when it came: see plan.ts.
    plan jsonb not null default '{}',
    settlement_id text,
    settled_amount bigint,
    return_id text,
    hidden_looks integer not null default 0,
    hidden_until timestamptz,
    received_at timestamptz not null default clock_timestamp()
  );
  create unique index if not exists requests_seq on requests (seq);

  create table if not exists due_movements (
    id bigint generated always as identity primary key,
    reference text not null,
    what text not null check (what in ('settlement', 'second_settlement', 'return')),
    at timestamptz not null
  );
  create index if not exists due_movements_at on due_movements (at, id);

  create table if not exists balances (currency text primary key, amount bigint not null);

  create table if not exists statement_lines (
    seq bigint generated always as identity primary key,
    settlement_id text not null unique,
    reference text,
    kind text not null check (kind in ('collection', 'payout', 'return', 'credit')),
    amount bigint not null check (amount <> 0),
    currency text not null,
    at timestamptz not null,
    day date not null generated always as ((at at time zone 'UTC')::date) stored
  );
  create index if not exists statement_lines_day on statement_lines (currency, day, seq);

  -- Events to be told, until the receiver has taken them.
  create table if not exists outbox (
    seq bigint generated always as identity primary key,
    -- What faults are decided by.
    subject text not null,
    event text not null,
    due_at timestamptz not null,
    attempts integer not null default 0,
    -- How many deliveries are still to carry it.
    deliveries integer not null default 1,
    -- Twice in one delivery.
    doubled boolean not null default false,
    -- Delivered by itself, since a delivery with others was refused.
    alone boolean not null default false
  );
  create index if not exists outbox_due on outbox (due_at, seq);

  create table if not exists settings (name text primary key, value jsonb not null);
`;
