import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { valueTypes } from '../../ledger/postgres';
import type { Database } from '../../ledger/schema';
import { UserError } from '../user-error';
import { identityBy, type Identity } from './identity';

export type Session = Kysely<Database>;

const SETTINGS = [
  // Values are compared as text, so both servers have to write them alike.
  ...['timezone=UTC', 'datestyle=ISO', 'intervalstyle=postgres', 'bytea_output=hex', 'extra_float_digits=1'],
  // A slot waits for every transaction of the server that is open.
  'lock_timeout=60s',
];

/** One session as the owner of the tables. When its connection breaks it is over, and so is what it had locked. */
export async function asOwner<T>(ownerUrl: string, work: (session: Session) => Promise<T>): Promise<T> {
  const pool = new pg.Pool({
    connectionString: ownerUrl,
    max: 1,
    types: valueTypes,
    application_name: 'holdfast shards',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    options: SETTINGS.map((setting) => `-c ${setting}`).join(' '),
  });
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  try {
    return await db.connection().execute(work);
  } finally {
    await db.destroy();
  }
}

const MOVING = 'holdfast shards move';
const TURN_WITHIN_MS = 5_000;

/** One move of a shard at a time, from wherever. A session that has just ended takes its server a moment to forget. */
export async function takeTurn(source: Session, shard: number): Promise<void> {
  for (const giveUpAt = Date.now() + TURN_WITHIN_MS; ; await sleep(100)) {
    const { rows } = await sql<{ mine: boolean }>`
      select pg_try_advisory_lock(hashtextextended(${MOVING}, 0)) as mine`.execute(source);
    if (rows[0]!.mine) return;
    if (Date.now() > giveUpAt) break;
  }
  throw new UserError(
    `Another \`holdfast shards move\` of shard ${shard} is at work.`,
    'Wait for it, or stop it first.',
  );
}

export function identityIn(session: Session): Promise<Identity | undefined> {
  return identityBy((text) => sql.raw(text).execute(session));
}
