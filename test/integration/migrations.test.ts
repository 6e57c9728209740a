import { randomBytes } from 'node:crypto';
import { Kysely, Migrator, PostgresDialect } from 'kysely';
import pg from 'pg';
import { APP_ROLE } from '../../cli/embedded/postgres';
import { openShards } from '../../ledger/shards';
import { Poster } from '../../ledger/poster';
import { verifyShard } from '../../ledger/verify';
import { LATEST_MIGRATION, migrateShard, pendingMigrations } from '../../migrations';
import * as books from '../../migrations/0001-books';
import * as bank from '../../migrations/0002-bank';
import * as shards from '../../migrations/0003-shards';
import * as reconciliation from '../../migrations/0004-reconciliation';
import * as audit from '../../migrations/0005-audit';
import { TestBooks } from '../support/books';
import { eventually } from '../support/eventually';
import { silent } from '../support/people';

let ownerUrl: string;
let name: string;
const setting = (key: string) => process.env[key]!;
const asAdmin = async (text: string) => {
  const admin = new pg.Client({ connectionString: setting('HOLDFAST_TEST_POSTGRES_ADMIN_URL') });
  await admin.connect();
  try {
    await admin.query(text);
  } finally {
    await admin.end();
  }
};
/** Everything that a migration makes, as text. */
const schema = async () => {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    const { rows } = await client.query(
      `select table_name, column_name, data_type, is_nullable from information_schema.columns where table_schema = 'public'
       union all select c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid), '' from pg_constraint c
       union all select grantee, table_name, privilege_type, '' from information_schema.role_table_grants
       where table_schema = 'public' order by 1, 2, 3, 4`,
    );
    return rows as unknown[];
  } finally {
    await client.end();
  }
};
const migrate = (shard = 0, shardCount = 2) => migrateShard({ ownerUrl, appRole: APP_ROLE, shard, shardCount });

// An empty one: the template is migrated already.
beforeEach(async () => {
  name = `test_${randomBytes(6).toString('hex')}`;
  ownerUrl = setting('HOLDFAST_TEST_OWNER_URL_TEMPLATE').replace('{db}', name);
  await asAdmin(`create database ${name} owner ${new URL(ownerUrl).username} template template0`);
});
afterEach(() => asAdmin(`drop database ${name} with (force)`));

test('an empty database is brought up to date, and running it again changes nothing', async () => {
  expect(await pendingMigrations(ownerUrl)).toContain(LATEST_MIGRATION);
  expect((await migrate()).applied).toContain(LATEST_MIGRATION);
  expect(await pendingMigrations(ownerUrl)).toEqual([]);
  const before = await schema();
  expect((await migrate()).applied).toEqual([]);
  expect(await schema()).toEqual(before);
});

test('two processes that migrate at once take turns, and each migration runs once', async () => {
  const pending = await pendingMigrations(ownerUrl);
  const results = await Promise.all([migrate(), migrate()]);
  expect(results.flatMap(({ applied }) => applied)).toEqual(pending);
  expect(await pendingMigrations(ownerUrl)).toEqual([]);
});

test('a database that is another shard, or of another number of shards, is refused and stays what it was', async () => {
  await migrate(0, 2);
  await expect(migrate(1, 2)).rejects.toThrow(
    'This database is shard 0 of 2, but the configuration calls it shard 1 of 2',
  );
  await expect(migrate(0, 3)).rejects.toThrow('shard count never changes');
  expect((await migrate(0, 2)).applied).toEqual([]);
});

describe('books that were filled before their entries and events lay in months', () => {
  const before = {
    '0001-books': books,
    '0002-bank': bank,
    '0003-shards': shards,
    '0004-reconciliation': reconciliation,
    '0005-audit': audit,
  };
  const TABLES = ['users', 'accounts', 'blocks', 'transactions', 'steps', 'holds', 'entries', 'events', 'chain_head'];
  const rowsOf = async (client: pg.Client, table: 'entries' | 'events') =>
    (await client.query<{ row: string }>(`select to_jsonb(t)::text as row from ${table} t order by block, index`)).rows;
  let filled: TestBooks;
  let owner: pg.Client;

  /** Books of some months as this code writes them; then as they were, in a database of the version before. */
  beforeEach(async () => {
    filled = await TestBooks.create(3);
    const [a, b, c] = filled.wallets as [string, string, string];
    let clock = new Date();
    const poster = new Poster({ shard: 0, url: filled.database.appUrl, log: silent, now: () => clock });
    for (let month = 0; month < 6; month += 1) {
      clock = new Date(Date.UTC(clock.getUTCFullYear(), clock.getUTCMonth() + 1 + (month % 2), 3));
      await poster.post([filled.transfer(a, b, 5n), filled.transfer(b, c, 999_00n)]);
      await poster.post([{ kind: 'hold', facts: filled.facts(c, a, 1n), step: 'hold', owner: 'test' }]);
      await poster.post([{ kind: month % 2 ? 'unfreeze' : 'freeze', accountId: c, actorId: 'us_0_ops', role: 'ops' }]);
    }
    await poster.close();

    const pool = new pg.Pool({ connectionString: ownerUrl, max: 1 });
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
    const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(before) } });
    expect((await migrator.migrateToLatest()).error).toBeUndefined();
    await db.destroy();
    owner = new pg.Client({ connectionString: ownerUrl });
    await owner.connect();
    await owner.query('delete from chain_head');
    for (const table of TABLES) {
      const { rows } = await filled.owner.query<{ all: string }>(
        `select coalesce(json_agg(t), '[]')::text as all from ${table} t`,
      );
      const insert = `insert into ${table} select * from json_populate_recordset(null::${table}, $1)`;
      await owner.query(insert, [rows[0]!.all]);
    }
  });
  afterEach(async () => {
    await owner.end();
    await filled.close();
  });

  test('are the same books afterwards, prove themselves, and go on', async () => {
    expect((await migrate(0, 1)).applied).toContain('0006-months');
    for (const table of ['entries', 'events'] as const) {
      const rows = await rowsOf(owner, table);
      expect(rows.length).toBeGreaterThan(9);
      expect(rows).toEqual(await rowsOf(filled.owner, table));
    }
    const url = setting('HOLDFAST_TEST_APP_URL_TEMPLATE').replace('{db}', name);
    const migrated = openShards({ urls: [url], log: silent, poolSize: 2 });
    try {
      const { db, poster } = migrated.shard(0);
      const proven = await verifyShard(db);
      expect(proven).toEqual(await verifyShard(filled.shards.shard(0).db));
      expect(proven).toMatchObject({ blocks: 19, findings: [] });
      const [a, b] = filled.wallets as [string, string];
      expect(await poster.post([filled.transfer(a, b, 1n)])).toMatchObject([{ status: 'completed' }]);
      expect(await verifyShard(db)).toMatchObject({ blocks: 20, findings: [] });
    } finally {
      await migrated.close();
    }
  });

  test('are let go of again and again while somebody reads them for long, so that nobody else waits for the migration', async () => {
    const [reader, other] = [new pg.Client(ownerUrl), new pg.Client(`${ownerUrl}?options=-cstatement_timeout%3D30s`)];
    await Promise.all([reader.connect(), other.connect()]);
    await reader.query('begin');
    await reader.query('select from accounts');
    const migrating = migrate(0, 1);
    try {
      const waits = `select from pg_locks join pg_database d on d.oid = database where datname = $1 and not granted`;
      await eventually(async () => expect((await owner.query(waits, [name])).rowCount).toBeGreaterThan(0), {
        withinMs: 30_000,
      });
      await other.query('select from accounts');
    } finally {
      await reader.end();
      await other.end();
    }
    expect((await migrating).applied).toContain(LATEST_MIGRATION);
  });

  test('are not fit for a process of that version, which is told so as in an outage', async () => {
    await owner.query(`grant insert on entries to ${APP_ROLE}`);
    await migrate(0, 1);
    const app = new pg.Client({ connectionString: setting('HOLDFAST_TEST_APP_URL_TEMPLATE').replace('{db}', name) });
    await app.connect();
    const columns = 'block, index, transaction_id, account_id, currency, amount, balance_after';
    const insert = app.query(`insert into entries (${columns}) values (1, 9, 'tx', 'ac', 'SGD', 1, 1)`);
    await expect(insert).rejects.toMatchObject({ code: '57P03' });
    await app.end();
  });

  test('stay what they were when a row names a block that is not there', async () => {
    await owner.query('delete from blocks where number = 3');
    await expect(migrate(0, 1)).rejects.toThrow('rows of events');
    expect(await pendingMigrations(ownerUrl)).toContain('0006-months');
    const { rows } = await owner.query(`select from pg_class where relname = 'events' and relkind = 'r'`);
    expect(rows).toHaveLength(1);
  });
});
