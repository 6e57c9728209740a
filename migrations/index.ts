import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, Migrator, PostgresDialect, sql, type Migration } from 'kysely';
import pg from 'pg';
import { grantToApplication, grantToAsk } from './grants';
import * as books from './0001-books';
import * as bank from './0002-bank';
import * as shards from './0003-shards';
import * as reconciliation from './0004-reconciliation';
import * as audit from './0005-audit';
import * as months from './0006-months';
import * as moving from './0007-moving';
import * as snapshots from './0008-snapshots';
import * as access from './0009-access';
import * as guard from './0011-guard';
import * as privacy from './0012-privacy';
import * as roleProposals from './0014-role-proposals';

/** In order, for ever: a migration that has run anywhere is never edited, only followed. */
const migrations: Record<string, Migration> = {
  '0001-books': books,
  '0002-bank': bank,
  '0003-shards': shards,
  '0004-reconciliation': reconciliation,
  '0005-audit': audit,
  '0006-months': months,
  '0007-moving': moving,
  '0008-snapshots': snapshots,
  '0009-access': access,
  // 0010 and 0013 were never used, and never will be: what comes before one that has run would be refused.
  '0011-guard': guard,
  '0012-privacy': privacy,
  '0014-role-proposals': roleProposals,
};

export const MIGRATIONS: readonly string[] = Object.keys(migrations).sort();
export const LATEST_MIGRATION = MIGRATIONS.at(-1)!;

/** Whoever else wants a table queues behind a migration that waits for it: so it waits for moments, and tries again. */
const LOCK_WITHIN = '-c lock_timeout=3s';
const PAUSE_MS = 2_000;
const PATIENCE_MS = 10 * 60_000;
/** lock_not_available, deadlock_detected */
const IN_THE_WAY = ['55P03', '40P01'];

function connect(url: string): Kysely<unknown> {
  const pool = new pg.Pool({ connectionString: url, max: 2, options: LOCK_WITHIN });
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
}

async function withoutBlocking<T>(work: () => Promise<T>): Promise<T> {
  for (const giveUpAt = Date.now() + PATIENCE_MS; ; await sleep(PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!IN_THE_WAY.includes((error as { code: string }).code) || Date.now() > giveUpAt) throw error;
    }
  }
}

/**
 * Brings one shard's database up to date as its owner. Running it again changes nothing, and two processes doing so at
 * once take turns (the migrator's own lock).
 */
export async function migrateShard(options: {
  ownerUrl: string;
  appRole: string;
  shard: number;
  shardCount: number;
}): Promise<{ applied: string[] }> {
  const db = connect(options.ownerUrl);
  try {
    const applied = await toLatest(db);
    await withoutBlocking(() =>
      db.transaction().execute(async (trx) => {
        // Postgres refuses who grants at the same time as another.
        await sql`select pg_advisory_xact_lock(hashtext('holdfast: grants'))`.execute(trx);
        await grantToApplication(trx, options.appRole);
      }),
    );
    await identify(db, options.shard, options.shardCount);
    return { applied };
  } finally {
    await db.destroy();
  }
}

/** Makes the tables of a shard that is to be moved here. The application's role may only learn that they are a copy. */
export async function migrateCopy(options: {
  ownerUrl: string;
  appRole: string;
  shard: number;
  shardCount: number;
}): Promise<void> {
  const db = connect(options.ownerUrl);
  try {
    await toLatest(db);
    await grantToAsk(db, options.appRole);
    await identify(db, options.shard, options.shardCount, 'copy');
  } finally {
    await db.destroy();
  }
}

async function toLatest(db: Kysely<unknown>): Promise<string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations) } });
  return withoutBlocking(async () => {
    const { error, results } = await migrator.migrateToLatest();
    if (error) throw error instanceof Error ? error : new Error('The migrations failed', { cause: error });
    return (results ?? []).map((result) => result.migrationName);
  });
}

/** Writes which shard this database is, once; a database that says otherwise is refused. */
async function identify(db: Kysely<unknown>, shard: number, shardCount: number, state = 'active'): Promise<void> {
  await sql`insert into shard_identity (shard, shard_count, state) values (${shard}, ${shardCount}, ${state})
            on conflict do nothing`.execute(db);
  const { rows } = await sql<{ shard: number; shard_count: number }>`
    select shard, shard_count from shard_identity`.execute(db);
  const found = rows[0]!;
  if (found.shard !== shard || found.shard_count !== shardCount) {
    throw new Error(
      `This database is shard ${found.shard} of ${found.shard_count}, but the configuration calls it shard ${shard} of ` +
        `${shardCount}. Check the order and number of the database URLs; a deployment's shard count never changes.`,
    );
  }
}

/** The migrations this code has and the database lacks. */
export async function pendingMigrations(url: string): Promise<string[]> {
  const db = connect(url);
  try {
    const { rows: tables } = await sql`select from pg_class where relname = 'kysely_migration'`.execute(db);
    if (tables.length === 0) return Object.keys(migrations).sort();
    const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
    const applied = new Set(rows.map((row) => row.name));
    return Object.keys(migrations)
      .sort()
      .filter((name) => !applied.has(name));
  } finally {
    await db.destroy();
  }
}
