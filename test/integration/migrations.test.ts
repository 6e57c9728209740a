import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { APP_ROLE } from '../../cli/embedded/postgres';
import { LATEST_MIGRATION, migrateShard, pendingMigrations } from '../../migrations';

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
