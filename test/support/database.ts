import { randomBytes } from 'node:crypto';
import pg from 'pg';

export interface TestDatabase {
  name: string;
  /** As the application's role. */
  appUrl: string;
  /** As the owner, who may do what the application may not. */
  ownerUrl: string;
  /** Fails when a test left a connection behind. */
  drop(): Promise<void>;
}

/** Empty, and for its owner alone, as the bank's is. */
export async function emptyDatabase(): Promise<Omit<TestDatabase, 'appUrl'>> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const ownerUrl = urlOf('HOLDFAST_TEST_OWNER_URL_TEMPLATE', name);
  await asAdmin((admin) => admin.query(`create database ${name} owner ${new URL(ownerUrl).username}`));
  return { name, ownerUrl, drop: () => asAdmin((admin) => dropUnused(admin, name)) };
}

const LEAK_CHECK_MS = 3_000;

/**
 * A database of one's own, as migrated: a copy of the template, which takes a moment instead of a migration. Or a copy of
 * another one that nobody is connected to.
 */
export async function cloneDatabase(template = 'holdfast_template'): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const ownerUrl = urlOf('HOLDFAST_TEST_OWNER_URL_TEMPLATE', name);
  const owner = new URL(ownerUrl).username;
  await asAdmin((admin) => admin.query(`create database ${name} owner ${owner} template ${template}`));
  return {
    name,
    appUrl: urlOf('HOLDFAST_TEST_APP_URL_TEMPLATE', name),
    ownerUrl,
    drop: () => asAdmin((admin) => dropUnused(admin, name)),
  };
}

/** A session that was just closed takes the server a moment to forget; one that stays is a leak. */
async function dropUnused(admin: pg.Client, name: string): Promise<void> {
  const giveUpAt = Date.now() + LEAK_CHECK_MS;
  for (;;) {
    const { rows } = await admin.query<{ session: string }>(
      `select application_name || ': ' || query as session from pg_stat_activity where datname = $1`,
      [name],
    );
    if (rows.length === 0) break;
    if (Date.now() > giveUpAt) {
      await admin.query(`drop database ${name} with (force)`);
      throw new Error(`Connections were left open:\n${rows.map((row) => row.session).join('\n')}`);
    }
    await new Promise((resume) => setTimeout(resume, 20));
  }
  await admin.query(`drop database ${name}`);
}

async function asAdmin<T>(work: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({ connectionString: setting('HOLDFAST_TEST_POSTGRES_ADMIN_URL') });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

function urlOf(template: string, name: string): string {
  return setting(template).replace('{db}', name);
}

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with jest's global setup`);
  return value;
}

/** The databases of a deployment of so many shards. */
export async function cloneShards(count: number): Promise<TestDatabase[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, shard) => {
      const database = await cloneDatabase();
      const owner = new pg.Client({ connectionString: database.ownerUrl });
      await owner.connect();
      await owner.query('update shard_identity set shard = $1, shard_count = $2', [shard, count]);
      await owner.end();
      return database;
    }),
  );
}
