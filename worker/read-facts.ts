import { sql, type Kysely } from 'kysely';
import type { Gauge } from 'prom-client';
import type { Logger } from '../ledger/log';
import type { Database } from '../ledger/schema';
import type { Shard, Shards } from '../ledger/shards';
import { withDeadline } from './deadline';
import type { Recurring } from './schedules';
import type { Temporal } from './temporal';
import * as facts from '../metrics/facts';

const READ_WITHIN_MS = 3_000;
/** A task queue's kinds of tasks, by Temporal's numbers. */
const KINDS = { workflow: 1, activity: 2 };

export interface FactsDeps {
  shards: Shards;
  temporal: Temporal;
  schedules: readonly Recurring[];
  taskQueues: readonly string[];
  log: Logger;
}

/** Reads all facts anew. What can't be read just now has no figures, rather than old ones. */
export async function readFacts({ shards, temporal, schedules, taskQueues, log }: FactsDeps): Promise<void> {
  const parts: { what: string; read: () => Promise<void> }[] = [
    ...shards.all.map((shard) => ({ what: `shard ${shard.number}`, read: () => factsOfShard(shard) })),
    ...schedules.map((each) => ({ what: each.scheduleId, read: () => factsOfSchedule(temporal, each) })),
    ...taskQueues.map((queue) => ({ what: queue, read: () => factsOfQueue(temporal, queue) })),
  ];
  for (const gauge of Object.values(facts)) gauge.reset();
  for (const { number } of shards.all) facts.shardUp.set({ shard: number }, 0);
  await Promise.all(
    parts.map(({ what, read }) => read().catch((err: unknown) => log.warn({ err, what }, 'facts could not be read'))),
  );
}

interface Row {
  gauge: keyof typeof facts;
  labels: Record<string, string>;
  value: number;
}

/** One statement, so that all of it is of one moment. */
const OF_SHARD = sql<Row>`
  select 'chainBlock' as gauge, '{}'::json as labels, block::float8 as value from chain_head
  union all
  (select 'openTransactions', json_build_object('type', type, 'status', status), count(*)
    from transactions where completed_at is null group by type, status)
  union all
  (select 'oldestOpen', json_build_object('type', type, 'status', status), extract(epoch from now() - min(created_at))
    from transactions where completed_at is null group by type, status)
  union all
  select 'holds', '{}', count(*) from holds where status = 'held'
  union all
  select 'overdueHolds', '{}', count(*) from holds where status = 'held' and expires_at < now()
  union all
  (select 'inbox', json_build_object('status', status), count(*) from bank_inbox where status <> 'done' group by status)
  union all
  select 'notificationsDue', '{}', count(*) from notifications where status = 'due' and next_at < now()
  union all
  (select 'findings', json_build_object('scope', scope), found from newest
    cross join lateral (select count(*) as found from reconciliation_findings where reconciliation_id = newest.id) f)
  union all
  (select 'reconciledAgo', json_build_object('scope', scope), extract(epoch from now() - ended_at) from newest)`;

async function factsOfShard({ number, db }: Shard): Promise<void> {
  const rows = await within(READ_WITHIN_MS, () => rowsOf(db));
  facts.shardUp.set({ shard: number }, 1);
  for (const { gauge, labels, value } of rows) {
    (facts[gauge] as Gauge<string>).set({ shard: number, ...labels }, Number(value));
  }
}

async function rowsOf(db: Kysely<Database>): Promise<Row[]> {
  const { rows } = await sql<Row>`
    with newest as (
      select distinct on (scope) id, scope, ended_at from reconciliations where status = 'done'
      order by scope, ended_at desc)
    ${OF_SHARD}`.execute(db);
  return rows;
}

async function factsOfSchedule({ connection, client }: Temporal, { scheduleId, everyMs }: Recurring): Promise<void> {
  const labels = { schedule: scheduleId };
  facts.scheduleEvery.set(labels, everyMs / 1_000);
  const { info } = await withDeadline(connection, READ_WITHIN_MS, () =>
    client.schedule.getHandle(scheduleId).describe(),
  );
  const started = info.recentActions.at(-1)?.takenAt ?? info.createdAt;
  facts.scheduleAge.set(labels, (Date.now() - started.getTime()) / 1_000);
}

async function factsOfQueue({ connection, client, namespace }: Temporal, queue: string): Promise<void> {
  for (const [kind, taskQueueType] of Object.entries(KINDS)) {
    const { stats } = await withDeadline(connection, READ_WITHIN_MS, () =>
      client.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: queue },
        taskQueueType,
        reportStats: true,
      }),
    );
    facts.backlog.set({ queue, kind }, Number(stats?.approximateBacklogCount ?? 0));
    facts.backlogAge.set({ queue, kind }, Number(stats?.approximateBacklogAge?.seconds ?? 0));
  }
}

async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  return Promise.race([work(), late]).finally(() => clearTimeout(timer));
}
