import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import type { DefaultLimits } from '../contracts/limits';
import { shardOfId } from '../contracts/ids';
import { shardOfUsername } from './identity';
import { watchPool, watchReplica } from '../metrics/databases';
import { slowQueryLog } from '../metrics/slow-queries';
import { nameOfSql, noteStatement } from '../metrics/statements';
import type { Logger } from './log';
import { Poster } from './poster';
import { isPassing, isUnreachable, ShardUnavailable, valueTypes } from './postgres';
import { Replica, type ReplicaOptions } from './replica';
import type { Database } from './schema';

export interface Shard {
  readonly number: number;
  /** Reads, and writes of what is not money (users, new wallets). */
  readonly db: Kysely<Database>;
  readonly poster: Poster;
  /** For `readHistory`. */
  readonly replica?: Replica;
  /** For what reads through much of the books: a connection of its own, which waits for minutes. To be destroyed after use. */
  openAtLeisure(): Kysely<Database>;
  /** Throws when the database does not answer, or has moved away. */
  check(): Promise<void>;
}

/** One that is known to be down isn't waited for: so what it holds up takes no place from what others have to do. */
export const reachable = (shard: Shard) => unless(({ isDown }) => isDown, shard);

/** The same for who only reads. */
export const readable = (shard: Shard) => unless(({ isAway }) => isAway, shard);

async function unless(isGone: (poster: Poster) => boolean, shard: Shard): Promise<Shard> {
  const { poster } = shard;
  if (isGone(poster)) await poster.probe();
  if (isGone(poster)) throw new ShardUnavailable(shard.number);
  return shard;
}

/** Undefined while the shard is away: for what can be shown without it. */
export async function readIfThere<T>(shard: Shard, read: (db: Shard['db']) => Promise<T>): Promise<T | undefined> {
  try {
    const { db } = await readable(shard);
    return await read(db);
  } catch (error) {
    if (isPassing(error)) return undefined;
    throw error;
  }
}

/** The shard databases of a deployment, and who lives where. */
export class Shards {
  constructor(readonly all: readonly Shard[]) {}

  get count(): number {
    return this.all.length;
  }

  shard(number: number): Shard {
    const found = this.all[number];
    if (!found) throw new RangeError(`There is no shard ${number}`);
    return found;
  }

  forUsername(username: string): Shard {
    return this.shard(shardOfUsername(username, this.count));
  }

  /** The shard an id of ours names; undefined for any other text. */
  forId(id: string): Shard | undefined {
    const number = shardOfId(id);
    return number === undefined ? undefined : this.all[number];
  }

  async close(): Promise<void> {
    await Promise.all(
      this.all.map(async (shard) => {
        await shard.poster.close();
        await shard.replica?.close();
        await shard.db.destroy();
      }),
    );
  }
}

export interface ShardsOptions {
  urls: string[];
  /** In the same order, where a shard has one. */
  replicas?: (Pick<ReplicaOptions, 'url' | 'maxLagMs'> | undefined)[];
  log: Logger;
  patienceMs?: number;
  defaultLimits?: DefaultLimits;
  poolSize?: number;
  /** A statement that takes longer is logged. */
  slowQueryMs?: number;
  /** Statements are timed, unless nobody is to see it. */
  isTimed?: boolean;
}

export function openShards(options: ShardsOptions): Shards {
  return new Shards(
    options.urls.map((url, number) => {
      const pool = new pg.Pool({
        connectionString: url,
        max: options.poolSize ?? 8,
        types: valueTypes,
        application_name: 'holdfast',
        connectionTimeoutMillis: 3_000,
        statement_timeout: 10_000,
        // A server that is frozen, or behind a dead network, doesn't heed its own; in pipeline mode the driver then gives
        // the connection up, too.
        query_timeout: 11_000,
        pipeline: true,
        keepAlive: true,
      });
      // An idle connection that the server ends is replaced at the next use.
      pool.on('error', (err) => options.log.warn({ err, shard: number }, 'an idle database connection ended'));
      // Of one in use its query tells; unheard, this second word of it would end the whole process.
      pool.on('connect', (client) => client.on('error', () => {}));
      watchPool(number, pool);
      const { log, patienceMs, defaultLimits, slowQueryMs: slowMs = Infinity } = options;
      const slowStatements = slowQueryLog({ slowMs, shard: number, pool, log });
      const isTimed = options.isTimed ?? true;
      const poster = new Poster({ shard: number, url, log, patienceMs, defaultLimits, slowStatements, isTimed });
      const connect = () =>
        pool.connect().catch((cause: unknown) => {
          if (!isUnreachable(cause)) throw cause;
          void poster.probe();
          throw new ShardUnavailable(number, { cause });
        });
      const db = new Kysely<Database>({
        dialect: new PostgresDialect({ pool: { connect, end: () => pool.end() } }),
        log: (event) => {
          const { sql: text } = event.query;
          if (isTimed) noteStatement(nameOfSql(text), event.queryDurationMillis, text, slowStatements);
          // So that whoever is next need not find it out.
          if (event.level === 'error' && isUnreachable(event.error)) void poster.probe();
        },
      });
      const at = options.replicas?.[number];
      const replica = at && new Replica({ ...at, shard: number, primary: db, log });
      replica?.follow();
      if (replica) watchReplica(number, replica);
      return {
        number,
        db,
        ...(replica && { replica }),
        poster,
        openAtLeisure: () => openAtLeisure(url),
        check: async () => {
          await sql`select from chain_head`.execute(db);
        },
      };
    }),
  );
}

const LEISURE_MS = 600_000;

function openAtLeisure(url: string): Kysely<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    types: valueTypes,
    application_name: 'holdfast-at-leisure',
    connectionTimeoutMillis: 3_000,
    statement_timeout: LEISURE_MS,
    query_timeout: LEISURE_MS + 1_000,
    pipeline: true,
    keepAlive: true,
  });
  // What breaks is told by the query that meets it.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

export async function atLeisure<T>(shard: Shard, work: (db: Kysely<Database>) => Promise<T>): Promise<T> {
  const db = shard.openAtLeisure();
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}
