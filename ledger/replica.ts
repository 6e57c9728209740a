import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import type { AccountId } from '../contracts/ids';
import type { ReplicaState } from '../contracts/statuses';
import type { Logger } from './log';
import { valueTypes } from './postgres';
import type { Database } from './schema';

export interface ReplicaHealth {
  state: ReplicaState;
  /** Null where its chain could not be laid beside the primary's. */
  blocksBehind: number | null;
  /** For how long the first block that it lacks has been there. */
  behindMs: number | null;
}

/** An account as the primary has it: its version rises with every block that has entries of it. */
export interface AccountVersion {
  id: AccountId;
  version: bigint;
}

export interface ReplicaOptions {
  shard: number;
  url: string;
  primary: Kysely<Database>;
  /** Further behind it is not asked. */
  maxLagMs: number;
  log: Logger;
}

const LOOK_EVERY_MS = 1_000;
/** For each thing asked of a replica: whoever asks has the primary, too. */
const PATIENCE_MS = 500;
/** One that failed is left alone for so long: it must not keep request after request waiting. */
const REST_MS = 3_000;

const notCompared = (state: ReplicaState): ReplicaHealth => ({ state, blocksBehind: null, behindMs: null });

/**
 * What a replica has of an account is either all that the primary has of it, or not shown: so a page of it is never older,
 * nor newer, than what the primary was just asked. How far it is behind costs only its use.
 */
export async function readHistory<T extends object | bigint>(
  { db, replica }: { db: Kysely<Database>; replica?: Replica },
  account: AccountVersion,
  read: (db: Kysely<Database>) => Promise<T>,
): Promise<T> {
  return (await replica?.read(account, read)) ?? read(db);
}

/** A standby of a shard's database. It is looked at now and then, and asked only while it is near. */
export class Replica {
  health = notCompared('unknown');
  private db: Kysely<Database>;
  private restsUntil = 0;
  private following: Promise<void> | undefined;
  private readonly stop = new AbortController();
  private readonly ending = new Set<Promise<void>>();

  constructor(private readonly options: ReplicaOptions) {
    this.db = connect(options);
  }

  /** Looks again and again, so that no request has to. */
  follow(): void {
    this.following ??= this.keepLooking();
  }

  /** Undefined when the primary has to be asked instead. */
  async read<T>(account: AccountVersion, read: (db: Kysely<Database>) => Promise<T>): Promise<T | undefined> {
    if (this.health.state !== 'near') return undefined;
    const { db } = this;
    try {
      // One snapshot, and one server where several stand behind the URL.
      const snapshot = db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only');
      return await snapshot.execute(async (trx) => ((await hasExactly(trx, account)) ? await read(trx) : undefined));
    } catch (error) {
      // One page that took too long, or found all connections busy, says nothing of the server.
      if (!isHurry(error)) this.leaveOut(db, error);
      return undefined;
    }
  }

  async look(): Promise<ReplicaHealth> {
    if (performance.now() < this.restsUntil) return this.health;
    const { db } = this;
    try {
      const head = await headOf(db);
      // Asked after it, the primary has whatever its replica has.
      const compare = async () => (head.isStandby ? await besides(this.options, head) : notCompared('no_standby'));
      this.become(await compare().catch(() => notCompared('unknown')));
    } catch (error) {
      this.leaveOut(db, error);
    }
    return this.health;
  }

  async close(): Promise<void> {
    this.stop.abort();
    await this.following;
    await Promise.all([...this.ending, this.db.destroy()]);
  }

  private async keepLooking(): Promise<void> {
    const { signal } = this.stop;
    while (!signal.aborted) {
      await this.look();
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** A connection that gave no answer in time may never give one, so it begins anew with others. */
  private leaveOut(db: Kysely<Database>, err: unknown): void {
    if (db !== this.db) return;
    this.restsUntil = performance.now() + REST_MS;
    this.become(notCompared('away'), err);
    const ending = db.destroy().finally(() => this.ending.delete(ending));
    this.ending.add(ending);
    this.db = connect(this.options);
  }

  private become(health: ReplicaHealth, err?: unknown): void {
    const { log, shard } = this.options;
    const facts = { shard, ...health, ...(err !== undefined && { err }) };
    if (health.state !== this.health.state) {
      if (health.state === 'near') log.info(facts, 'the replica serves history');
      else log.warn(facts, 'the replica is left out: history comes from the primary');
    }
    this.health = health;
  }
}

function connect({ url }: ReplicaOptions): Kysely<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 8,
    types: valueTypes,
    application_name: 'holdfast-replica',
    connectionTimeoutMillis: PATIENCE_MS,
    query_timeout: PATIENCE_MS,
    statement_timeout: PATIENCE_MS,
    keepAlive: true,
    // One that is frozen never says goodbye, and must not keep the process.
    allowExitOnIdle: true,
  });
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

const CANCELED = '57014';

function isHurry(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === CANCELED || message === 'timeout exceeded when trying to connect';
}

/** One that was promoted goes its own way from there, whatever its versions say. */
async function hasExactly(db: Kysely<Database>, { id, version }: AccountVersion): Promise<boolean> {
  const { rows } = await sql`
    select from accounts where id = ${id} and version = ${version} and pg_is_in_recovery()`.execute(db);
  return rows.length === 1;
}

interface Head {
  block: bigint;
  hash: Buffer;
  isStandby: boolean;
}

async function headOf(db: Kysely<Database>): Promise<Head> {
  const { rows } = await sql<Head>`
    select block, hash, pg_is_in_recovery() as "isStandby" from chain_head`.execute(db);
  return rows[0]!;
}

/** A block of the same number and hash means that everything up to it is the same. */
async function besides({ primary, maxLagMs }: ReplicaOptions, { block, hash }: Head): Promise<ReplicaHealth> {
  const { rows } = await sql<{ behind: bigint; isSame: boolean; firstLacked: Date | null }>`
    select block - ${block}::bigint as behind,
      ${block}::bigint = 0 or exists (select from blocks where number = ${block} and hash = ${hash}) as "isSame",
      (select at from blocks where number = ${block}::bigint + 1) as "firstLacked"
    from chain_head`.execute(primary);
  const { behind, isSame, firstLacked } = rows[0]!;
  if (!isSame) return notCompared('other_books');
  const behindMs = firstLacked === null ? 0 : Math.max(0, Date.now() - firstLacked.getTime());
  return { state: behindMs > maxLagMs ? 'behind' : 'near', blocksBehind: Number(behind), behindMs };
}
