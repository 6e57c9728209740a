import type pg from 'pg';
import type { Logger } from '../ledger/log';
import type { SlowStatements } from './statements';

const PLAN_EVERY_MS = 60_000;

/**
 * Logs the slow statements, and the plan of each now and then. The plan is the generic one: it has parameters where
 * their values would be, so nothing of anybody's reaches the log.
 */
export function slowQueryLog(options: { slowMs: number; shard: number; pool: pg.Pool; log: Logger }): SlowStatements {
  const { slowMs, shard, pool, log } = options;
  const plannedAt = new Map<string, number>();

  async function planOf(sql: string): Promise<string | undefined> {
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${sql}`);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  }

  return {
    slowMs,
    tell({ statement, ms, sql }) {
      const isDue = performance.now() - (plannedAt.get(statement) ?? -Infinity) > PLAN_EVERY_MS;
      const plan = isDue && /^\s*(select|with|insert|update|delete)\b/i.test(sql) ? planOf(sql) : undefined;
      if (plan) plannedAt.set(statement, performance.now());
      const line = { shard, statement, ms: Math.round(ms), sql };
      void Promise.resolve(plan).then(
        (text) => log.warn({ ...line, ...(text !== undefined && { plan: text }) }, 'slow statement'),
        () => log.warn(line, 'slow statement'),
      );
    },
  };
}
