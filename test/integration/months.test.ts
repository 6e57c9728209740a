import { Kysely, PostgresDialect, type CompiledQuery } from 'kysely';
import pg from 'pg';
import { auditEvents } from '../../ledger/audit';
import type { Command } from '../../ledger/commands';
import { makeMonths, missingMonths } from '../../ledger/months';
import { balanceAt } from '../../ledger/past';
import { Poster } from '../../ledger/poster';
import { valueTypes } from '../../ledger/postgres';
import { listEntries } from '../../ledger/queries';
import type { Database } from '../../ledger/schema';
import { Shards } from '../../ledger/shards';
import { spanOf } from '../../ledger/spans';
import { verifyShard } from '../../ledger/verify';
import { openChannels } from '../../notifications';
import { eventsQuery } from '../../notifications/collect';
import { bookedPage } from '../../reconciliation/bank-rows';
import { BANK, TestBooks } from '../support/books';
import { silent } from '../support/people';
import { testSealer } from '../support/sealer';

/** Books of two years, each month with the same in it, in tables that nobody had made before. */
const MONTHS = 24;
const A_MONTH = 30;

let books: TestBooks;
let app: pg.Client;
let db: Kysely<Database>;
let statements: CompiledQuery[];
let clock = new Date();
let poster: Poster;
const sealer = testSealer(new Shards([]));

beforeAll(async () => {
  books = await TestBooks.create(2);
  app = new pg.Client({ connectionString: books.database.appUrl, types: valueTypes });
  await app.connect();
  poster = posterOf(books);
  for (let month = 1; month <= MONTHS; month += 1) {
    clock = monthsOn(month);
    await poster.post(Array.from({ length: A_MONTH }, (_, n) => payment(n)));
    await poster.post([changed('freeze')]);
    await poster.post([changed('unfreeze')]);
  }
  await books.owner.query('analyze');
  const pool = new pg.Pool({ connectionString: books.database.appUrl, types: valueTypes, max: 2 });
  const log = (event: { query: CompiledQuery }) => void statements.push(event.query);
  db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }), log });
});
afterAll(async () => {
  await poster?.close();
  await db?.destroy();
  await app?.end();
  await books?.close();
});

const posterOf = ({ database }: TestBooks) =>
  new Poster({ shard: 0, url: database.appUrl, log: silent, now: () => clock });

/** The middle of a month; the first is the one after this. */
function monthsOn(months: number): Date {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, 15));
}

const tableOf = (table: 'entries' | 'events', at: Date) => `${table}_${at.toISOString().slice(0, 7).replace('-', '_')}`;

function payment(n: number): Command {
  const [a, b] = books.wallets as [string, string];
  return n % 3 === 0 ? books.transfer(BANK, a, 10n) : books.transfer(a, b, 2n);
}

function changed(kind: 'freeze' | 'unfreeze'): Command {
  return { kind, accountId: books.wallets[1]!, actorId: 'us_0_ops', role: 'ops' };
}

interface Plan {
  'Relation Name'?: string;
  'Actual Loops': number;
  Plans?: Plan[];
}

/** The tables of months that the statements of `read` look into, by Postgres's own account. */
async function monthsOf(read: () => Promise<unknown>): Promise<string[]> {
  statements = [];
  await read();
  const tables = new Set<string>();
  const visit = (plan: Plan): void => {
    const name = plan['Relation Name'];
    if (name !== undefined && plan['Actual Loops'] > 0 && /^(entries|events)_/.test(name)) tables.add(name);
    plan.Plans?.forEach(visit);
  };
  for (const { sql, parameters } of [...statements]) {
    const { rows } = await db.executeQuery<{ 'QUERY PLAN': { Plan: Plan }[] }>({
      ...statements[0]!,
      sql: `explain (analyze, format json) ${sql}`,
      parameters,
    });
    visit(rows[0]!['QUERY PLAN'][0]!.Plan);
  }
  return [...tables].sort();
}

describe('of two years, Postgres looks into no more months than it has to, for', () => {
  const page = (limits: Parameters<typeof spanOf>[1]) => async () =>
    listEntries(db, await spanOf(db, limits), { account: books.wallets[0]!, limit: 10 });

  test('the newest page of a wallet', async () => {
    expect(await monthsOf(page({}))).toEqual([tableOf('entries', clock)]);
  });

  test('a page further on', async () => {
    const rows = await db
      .selectFrom('entries')
      .select(['block', 'index'])
      .where('at', '=', monthsOn(10))
      .where('account_id', '=', books.wallets[0]!)
      .orderBy('index')
      .execute();
    expect(await monthsOf(page({ cursor: rows[20]! }))).toEqual([tableOf('entries', monthsOn(10))]);
    const both = [9, 10].map((month) => tableOf('entries', monthsOn(month)));
    expect(await monthsOf(page({ cursor: rows[5]! }))).toEqual(both);
  });

  test('a page between two times', async () => {
    const read = page({ since: monthsOn(4), until: monthsOn(6) });
    expect(await monthsOf(read)).toEqual([5, 6].map((month) => tableOf('entries', monthsOn(month))));
  });

  test('a past balance', async () => {
    const [account] = books.wallets as [string];
    expect(await monthsOf(() => balanceAt(db, account, monthsOn(7)))).toEqual([tableOf('entries', monthsOn(7))]);
    const moved = BigInt(A_MONTH / 3) * 10n - BigInt((A_MONTH * 2) / 3) * 2n;
    expect(await balanceAt(db, account, monthsOn(7))).toBe(100_00n + 7n * moved);
    expect(await balanceAt(db, account, new Date(monthsOn(7).getTime() - 1))).toBe(100_00n + 6n * moved);
  });

  test('the newest page of the audit, and one between two times', async () => {
    const search = { after: undefined, newestFirst: true, limit: 2 };
    expect(await monthsOf(() => auditEvents(db, 0, search))).toEqual([tableOf('events', clock)]);
    const oldest = { ...search, newestFirst: false, since: monthsOn(3), actor: 'us_0_ops' };
    expect(await monthsOf(() => auditEvents(db, 0, oldest))).toEqual([tableOf('events', monthsOn(3))]);
  });

  test('news to tell of', async () => {
    const [first, last] = await db.selectFrom('blocks').selectAll().where('at', '=', monthsOn(12)).execute();
    const channels = openChannels({ log: 'all' }, { sealer, log: silent });
    const read = () => eventsQuery({ first: first!, last: last! }, channels).execute(db);
    expect(await monthsOf(read)).toEqual([tableOf('events', monthsOn(12))]);
  });

  test('what was booked at the bank since a time', async () => {
    const after = { at: monthsOn(20), block: 0n, index: 0 };
    const read = () => bookedPage({ number: 0, db } as never, { currency: 'SGD', after, until: monthsOn(22) });
    expect(await monthsOf(read)).toEqual([20, 21, 22].map((month) => tableOf('entries', monthsOn(month))));
  });
});

test('books of two years verify, all of their blocks', async () => {
  statements = [];
  expect(await verifyShard(db)).toMatchObject({ blocks: 1 + 3 * MONTHS, findings: [] });
});

test('a block lies in its month by UTC, whatever time zone the server keeps', async () => {
  await books.owner.query(`alter database ${books.database.name} set timezone = 'Pacific/Kiritimati'`);
  const away = posterOf(books);
  const midnight = Date.UTC(clock.getUTCFullYear(), clock.getUTCMonth() + 2, 1);
  for (const at of [midnight - 1, midnight]) {
    clock = new Date(at);
    await away.post([payment(1)]);
    const { rows } = await app.query<{ name: string }>(
      'select distinct tableoid::regclass::text as name from entries where at = $1',
      [clock],
    );
    expect(rows).toEqual([{ name: tableOf('entries', clock) }]);
  }
  await away.close();
});

test('neither a post nor the making of months ahead waits for somebody who reads', async () => {
  await app.query('begin isolation level repeatable read');
  await app.query('select count(*) from entries');
  await app.query('select count(*) from events');
  clock = new Date(Date.UTC(clock.getUTCFullYear(), clock.getUTCMonth() + 1, 1));
  expect(await poster.post([payment(1)])).toMatchObject([{ status: 'completed' }]);
  const other = new pg.Client({ connectionString: books.database.appUrl, options: '-c lock_timeout=2s' });
  await other.connect();
  const { rows } = await other.query<{ made: string[] }>('select make_months($1, 2) as made', [clock]);
  expect(rows[0]!.made).toHaveLength(4);
  await other.end();
  await app.query('rollback');
});

test('of those who make months at once, each makes what the others have not', async () => {
  const far = new Date(Date.UTC(clock.getUTCFullYear() + 5, 0));
  const clients = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const client = new pg.Client({ connectionString: books.database.appUrl });
      await client.connect();
      return client;
    }),
  );
  const made = await Promise.all(
    clients.map(async (client) => {
      const { rows } = await client.query<{ made: string[] }>('select make_months($1, 5) as made', [far]);
      await client.end();
      return rows[0]!.made;
    }),
  );
  expect(made.flat()).toHaveLength(12);
  expect(new Set(made.flat()).size).toBe(12);
});

test('months that are missing are named, and made', async () => {
  const ahead = [tableOf('entries', monthsOn(3)), tableOf('events', monthsOn(2))].sort();
  const fresh = await TestBooks.create(1);
  const shard = fresh.shards.shard(0);
  expect(await missingMonths(shard.db)).toEqual([]);
  for (const name of ahead) await fresh.owner.query(`drop table ${name}`);
  expect((await missingMonths(shard.db)).sort()).toEqual(ahead);
  expect((await makeMonths(shard.db)).sort()).toEqual(ahead);
  expect(await makeMonths(shard.db)).toEqual([]);
  expect(await missingMonths(shard.db)).toEqual([]);
  await fresh.close();
});
