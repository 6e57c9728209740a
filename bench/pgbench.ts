import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { ensureDatabase } from '../cli/embedded/postgres-databases';
import type { Stack } from './stack';

const run = promisify(execFile);
const DATABASE = 'bench_floor';

export const HOW_TO_GET_PGBENCH =
  'pgbench is not on PATH, so its column is left out. It comes with Postgres: `apt-get install postgresql-contrib` on' +
  ' Debian and Ubuntu, `brew install libpq` on macOS; any version from 14 will do.';

const TABLES = `
  create table wallets (id integer primary key, balance bigint not null check (balance >= 0)) with (fillfactor = 50);
  insert into wallets select n, 1000000000000 from generate_series(1, 50) n;
  create table transfers (
    id bigint generated always as identity primary key,
    from_wallet integer not null, to_wallet integer not null, amount bigint not null, created_at timestamptz not null
  );
  create table lines (
    id bigint generated always as identity primary key,
    transfer_id bigint not null, wallet integer not null, amount bigint not null, balance_after bigint not null
  );
  create index lines_wallet on lines (wallet, id desc);
`;

/**
 * What a service would do that posts each transfer by itself: lock both wallets in the order of their ids (or two
 * transfers the opposite way would deadlock), write the transfer and its two lines, set both balances, commit.
 */
const TRANSFER = String.raw`
\set a random(1, 50)
\set b random(1, 49)
\set b :b + (case when :b >= :a then 1 else 0 end)
\set amount random(110, 999)
begin;
select balance as balance_a from wallets where id = least(:a::integer, :b::integer) for update;
select balance as balance_b from wallets where id = greatest(:a::integer, :b::integer) for update;
insert into transfers (from_wallet, to_wallet, amount, created_at) values (:a, :b, :amount, now()) returning id as transfer \gset
update wallets set balance = balance - :amount::bigint where id = :a returning balance as after_a \gset
update wallets set balance = balance + :amount::bigint where id = :b returning balance as after_b \gset
insert into lines (transfer_id, wallet, amount, balance_after) values (:transfer, :a, -(:amount::bigint), :after_a), (:transfer, :b, :amount, :after_b);
commit;
`;

export interface PgbenchResult {
  rate: number;
  /** The mean, which is what pgbench reports. */
  meanMs: number;
}

export class Pgbench {
  private constructor(
    private readonly script: string,
    private readonly url: URL,
  ) {}

  /** Undefined where there is no pgbench. */
  static async prepare(stack: Stack): Promise<Pgbench | undefined> {
    try {
      await run('pgbench', ['--version']);
    } catch {
      return undefined;
    }
    await ensureDatabase(stack.adminUrl, DATABASE);
    const url = stack.postgres.ownerUrl(DATABASE);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(TABLES);
    await client.end();
    const script = path.join(stack.folder.path, 'transfer.sql');
    writeFileSync(script, TRANSFER);
    return new Pgbench(script, new URL(url));
  }

  async measure(clients: number, seconds: number): Promise<PgbenchResult> {
    const { hostname, port, username, password } = this.url;
    const threads = String(Math.min(2, clients));
    const { stdout } = await run(
      'pgbench',
      [
        ...['-h', hostname, '-p', port, '-U', username, '-n', '-M', 'prepared', '-f', this.script],
        ...['-c', String(clients), '-j', threads, '-T', String(seconds), DATABASE],
      ],
      { env: { ...process.env, PGPASSWORD: decodeURIComponent(password) } },
    );
    return {
      rate: numberAfter(stdout, /^tps = ([\d.]+)/m),
      meanMs: numberAfter(stdout, /^latency average = ([\d.]+)/m),
    };
  }
}

function numberAfter(text: string, pattern: RegExp): number {
  const match = pattern.exec(text);
  if (!match) throw new Error(`pgbench said something unexpected:\n${text}`);
  return Number(match[1]);
}
