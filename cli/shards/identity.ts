import pg from 'pg';
import type { ShardState } from '../../ledger/schema';
import { placeOf } from '../place';
import { UserError } from '../user-error';

/** What a database says of itself. */
export interface Identity {
  shard: number;
  shardCount: number;
  state: ShardState;
  moveId: string | null;
  movedTo: string | null;
}

type Row = { shard: number; shard_count: number; state?: ShardState; move_id?: string; moved_to?: string };

/** Undefined while the database is nobody's. */
export async function identityBy(query: (text: string) => Promise<{ rows: unknown[] }>): Promise<Identity | undefined> {
  const { rows: tables } = await query(`select where to_regclass('public.shard_identity') is not null`);
  if (tables.length === 0) return undefined;
  // As JSON, because a database that awaits its migrations has not all the columns.
  const { rows } = await query('select to_jsonb(i) as row from shard_identity i');
  if (rows.length === 0) return undefined;
  const { shard, shard_count: shardCount, state, move_id, moved_to } = (rows as [{ row: Row }])[0].row;
  return { shard, shardCount, state: state ?? 'active', moveId: move_id ?? null, movedTo: moved_to ?? null };
}

export async function identityAt(url: string): Promise<Identity | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    return await identityBy((text) => client.query(text));
  } finally {
    await client.end();
  }
}

/** A process must never work on another shard's database, nor on one that is no longer, or not yet, the shard's. */
export function refuseWrongDatabase(
  { shard, shardCount, url }: { shard: number; shardCount: number; url: string },
  found: Identity | undefined,
): void {
  if (found === undefined) return;
  if (found.shard !== shard || found.shardCount !== shardCount) {
    throw new UserError(
      `The database ${placeOf(url)} is shard ${found.shard} of ${found.shardCount}, but HOLDFAST_DATABASE_URLS calls it` +
        ` shard ${shard} of ${shardCount}.`,
      "Check the order and number of the URLs; a deployment's shard count never changes.",
    );
  }
  if (found.state === 'moved') {
    throw new UserError(
      `Shard ${shard} has moved from ${placeOf(url)} to ${found.movedTo}.`,
      'Name its new database in HOLDFAST_DATABASE_URLS (and HOLDFAST_OWNER_DATABASE_URLS).',
    );
  }
  if (found.state === 'copy') {
    throw new UserError(
      `The database ${placeOf(url)} is a copy of shard ${shard} that is not in use yet.`,
      'Wait until `holdfast shards move` says that the shard has moved.',
    );
  }
}
