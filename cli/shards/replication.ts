import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { shardTables } from '../../migrations/fence';
import { UserError } from '../user-error';
import type { Session } from './session';

/** The publication's name on the source, and the subscription's on the target: each is its database's own. */
const NAME = 'holdfast_move';
const POLL_MS = 200;
const MAX_ERRORS = 10;
/** So little is left that the rest takes no longer than the fence itself. */
const CLOSE_BYTES = 1_000_000n;
const CAUGHT_UP_WITHIN_MS = 60_000;

/** Each poll asks whether somebody wants to stop. */
export interface Patience {
  signal: AbortSignal;
  say(line: string): void;
}

export async function refuseUnfit(source: Session, target: Session): Promise<void> {
  const wal = await one<{ level: string }>(source, sql`select current_setting('wal_level') as level`);
  if (wal.level !== 'logical') {
    throw new UserError(
      `The shard's server writes its log with wal_level=${wal.level}, which can't be replicated by tables.`,
      'Set wal_level=logical there, and restart it.',
    );
  }
  const from = await one<{ role: string; may: boolean }>(
    source,
    sql`select rolname as role, rolreplication or rolsuper as may from pg_roles where rolname = current_user`,
  );
  if (!from.may) {
    throw new UserError(
      `The role ${from.role} may not replicate.`,
      `On the shard's server, as its administrator: alter role ${from.role} replication;`,
    );
  }
  const to = await one<{ role: string; may: boolean }>(
    target,
    sql`select current_user as role, pg_has_role('pg_create_subscription', 'usage') as may`,
  );
  if (!to.may) {
    throw new UserError(
      `The role ${to.role} may not subscribe.`,
      `On the target's server, as its administrator: grant pg_create_subscription to ${to.role};`,
    );
  }
}

export async function isSubscribed(target: Session): Promise<boolean> {
  const { rows } = await sql`${SUBSCRIPTION}`.execute(target);
  return rows.length > 0;
}

const SUBSCRIPTION = sql`
  select oid from pg_subscription where subname = ${NAME}
    and subdbid = (select oid from pg_database where datname = current_database())`;

/** The slot comes first and by itself: a subscription in the same server would wait for its own transaction. */
export async function subscribe(source: Session, target: Session, sourceUrl: string): Promise<void> {
  const tables = (await shardTables(source)).map((table) => sql.id(table));
  await sql`create publication ${sql.id(NAME)} for table ${sql.join(tables)}
            with (publish_via_partition_root = true)`.execute(source);
  const slot = await slotName(source);
  await sql`select pg_create_logical_replication_slot(${slot}, 'pgoutput')`.execute(source);
  await sql`create subscription ${sql.id(NAME)} connection ${sql.lit(sourceUrl)} publication ${sql.id(NAME)}
            with (create_slot = false, slot_name = ${sql.lit(slot)})`.execute(target);
}

/** A slot is known by its name in its whole server, where other shards may live, too. */
async function slotName(source: Session): Promise<string> {
  const database = await one<{ oid: number }>(
    source,
    sql`select oid from pg_database where datname = current_database()`,
  );
  return `${NAME}_${database.oid}`;
}

export async function hasSlot(source: Session): Promise<boolean> {
  const { rows } = await sql`
    select from pg_replication_slots where slot_name = ${await slotName(source)}`.execute(source);
  return rows.length > 0;
}

/** Until every table is copied, and almost all that was written meanwhile. */
export async function waitUntilClose(source: Session, target: Session, patience: Patience): Promise<void> {
  const before = await errorsOf(target);
  let told = -1;
  for (; ; await sleep(POLL_MS)) {
    patience.signal.throwIfAborted();
    const { all, copied } = await one<{ all: number; copied: number }>(
      target,
      sql`select count(*)::int as all, (count(*) filter (where srsubstate = 'r'))::int as copied
          from pg_subscription_rel where srsubid = (${SUBSCRIPTION})`,
    );
    if (all === 0) throw new Error('The subscription of the move is gone');
    if (copied !== told) patience.say(`${copied} of ${all} tables are copied`);
    told = copied;
    if (copied === all && (await bytesBehind(source)) < CLOSE_BYTES) return;
    if ((await errorsOf(target)) - before >= MAX_ERRORS) {
      throw new UserError('The target can not copy the shard.', "The log of the target's Postgres says why.");
    }
  }
}

/** The source is fenced: until the target has all of it. */
export async function waitUntilCaughtUp(source: Session, { signal }: Patience): Promise<void> {
  const { lsn } = await one<{ lsn: string }>(source, sql`select pg_current_wal_insert_lsn()::text as lsn`);
  for (const giveUpAt = Date.now() + CAUGHT_UP_WITHIN_MS; ; await sleep(POLL_MS)) {
    signal.throwIfAborted();
    if ((await bytesBehind(source, lsn)) <= 0n) return;
    if (Date.now() > giveUpAt) {
      throw new UserError(
        `The target has not caught up within ${CAUGHT_UP_WITHIN_MS / 1000} s.`,
        'Try again when there is less to do, or see to its server.',
      );
    }
  }
}

async function bytesBehind(source: Session, lsn?: string): Promise<bigint> {
  const upTo = lsn === undefined ? sql`pg_current_wal_lsn()` : sql`${lsn}::pg_lsn`;
  const { behind, lost } = await one<{ behind: bigint; lost: boolean }>(
    source,
    sql`select pg_wal_lsn_diff(${upTo}, confirmed_flush_lsn)::bigint as behind, wal_status = 'lost' as lost
        from pg_replication_slots where slot_name = ${await slotName(source)}`,
  );
  if (!lost) return behind;
  throw new UserError(
    'The source has removed log that the target still needed.',
    'Give it more room: max_slot_wal_keep_size.',
  );
}

async function errorsOf(target: Session): Promise<number> {
  const { errors } = await one<{ errors: number }>(
    target,
    sql`select coalesce(sum(apply_error_count + sync_error_count), 0)::int as errors
        from pg_stat_subscription_stats where subid = (${SUBSCRIPTION})`,
  );
  return errors;
}

export async function unsubscribe(target: Session): Promise<void> {
  if (!(await isSubscribed(target))) return;
  await sql`alter subscription ${sql.id(NAME)} disable`.execute(target);
  // Its slot is dropped by itself: then neither needs the other's server.
  await sql`alter subscription ${sql.id(NAME)} set (slot_name = none)`.execute(target);
  await sql`drop subscription ${sql.id(NAME)}`.execute(target);
}

/** A slot that is left behind keeps its server's log for ever: those of tables being copied, too. */
export async function unpublish(source: Session): Promise<void> {
  const slots = sql`from pg_replication_slots where database = current_database()
    and (slot_name = ${await slotName(source)} or slot_name ~ '^pg_[0-9]+_sync_[0-9]+_[0-9]+$')`;
  for (const giveUpAt = Date.now() + CAUGHT_UP_WITHIN_MS; ; await sleep(POLL_MS)) {
    await sql`select pg_terminate_backend(active_pid) ${slots} and active_pid is not null`.execute(source);
    await sql`select pg_drop_replication_slot(slot_name) ${slots} and active_pid is null`.execute(source);
    const { rows } = await sql`select ${slots}`.execute(source);
    if (rows.length === 0) break;
    if (Date.now() > giveUpAt) throw new Error('A replication slot of the move is still in use');
  }
  await sql`drop publication if exists ${sql.id(NAME)}`.execute(source);
}

async function one<Row>(session: Session, query: ReturnType<typeof sql>): Promise<Row> {
  const { rows } = await query.execute(session);
  if (rows.length !== 1) throw new Error('The replication of the move is gone');
  return rows[0] as Row;
}
