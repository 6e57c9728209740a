import pg from 'pg';
import { LATEST_MIGRATION, migrateShard, MIGRATIONS, pendingMigrations } from '../migrations';
import { tooNewFor } from '../migrations/compatibility';
import type { Config } from './config';
import { recordSetup } from './record-setup';
import { identityAt, refuseWrongDatabase } from './shards/identity';
import { UserError } from './user-error';

/** How a database stands to this code's migrations. */
export interface Schema {
  pending: string[];
  /** Applied there by a later version of Holdfast. */
  unknown: string[];
  /** Those of them that this code can't run with. */
  tooNew: string[];
}

export async function schemaOf(url: string): Promise<Schema> {
  const pending = await pendingMigrations(url);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: tables } = await client.query(`select from pg_class where relname = 'kysely_migration'`);
    if (tables.length === 0) return { pending, unknown: [], tooNew: [] };
    const later = 'select name from kysely_migration where name > $1 order by name';
    const { rows } = await client.query<{ name: string }>(later, [LATEST_MIGRATION]);
    const unknown = rows.map(({ name }) => name);
    return { pending, unknown, tooNew: tooNewFor(LATEST_MIGRATION, unknown) };
  } finally {
    await client.end();
  }
}

export const newerInWords = (newer: string[]) =>
  `is newer than this Holdfast, which still runs on it: ${newer.join(', ')}`;

export function refuseTooNew(shard: number, { tooNew }: Schema): void {
  if (tooNew.length === 0) return;
  throw new UserError(
    `The database of shard ${shard} is too new for this Holdfast: it has ${tooNew.join(', ')}, and this Holdfast ends at` +
      ` ${LATEST_MIGRATION}.`,
    'Run the version of Holdfast that made these changes, or one that its migrations name as the oldest.',
  );
}

/** Brings every shard's database up to date, as its owner. Safe to run again, and from two places at once. */
export async function migrate(config: Pick<Config, 'shards'>, say: (line: string) => void): Promise<void> {
  const { shards } = config;
  for (const [shard, { url, ownerUrl }] of shards.entries()) {
    if (ownerUrl === undefined) {
      throw new UserError(
        'Migrations change tables, so they need the role that owns them.',
        'Set HOLDFAST_OWNER_DATABASE_URLS: the same databases as HOLDFAST_DATABASE_URLS, in the same order.',
      );
    }
    const schema = await schemaOf(ownerUrl);
    refuseTooNew(shard, schema);
    const found = await identityAt(ownerUrl);
    refuseWrongDatabase({ shard, shardCount: shards.length, url }, found);
    if (found?.state === 'fenced') {
      throw new UserError(
        `Shard ${shard} is being moved.`,
        'Migrate it once it has moved, or once `holdfast shards move --abort` has taken that back.',
      );
    }
    if (schema.unknown.length > 0 && schema.pending.length === 0) {
      say(`Shard ${shard} ${newerInWords(schema.unknown)}`);
      continue;
    }
    const appRole = decodeURIComponent(new URL(url).username);
    const { applied } = await migrateShard({ ownerUrl, appRole, shard, shardCount: shards.length });
    await recordSetup({ shard, shardCount: shards.length, url, migrations: [...MIGRATIONS] });
    if (applied.length > 0) say(`Migrated shard ${shard}: ${applied.join(', ')}`);
  }
}
