import { setTimeout as sleep } from 'node:timers/promises';
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { searchAttributes, TASK_QUEUE } from '../contracts/transfers';
import type { Logger } from '../ledger/log';
import { withDeadline } from './deadline';
import type { Recurring } from './schedules';
import type { Temporal } from './temporal';

const KEYWORD = 2;
const AGAIN_AFTER_MS = 60_000;
const CALL_DEADLINE_MS = 5_000;
const PATIENCE_MS = 60_000;
const PAUSE_MS = 1_000;

/**
 * What Holdfast needs to find in Temporal besides its workflows. Made when a worker starts, and looked after now and
 * then, so that a Temporal which lost its data heals by itself.
 */
export async function ensureTemporal(temporal: Temporal, schedules: Recurring[]): Promise<void> {
  await withDeadline(temporal.connection, CALL_DEADLINE_MS, async () => {
    await ensureSearchAttributes(temporal);
    await Promise.all(schedules.map((each) => ensureSchedule(temporal, each)));
  });
}

/** A Temporal that has only just started answers late, and some calls not at all: a worker that starts beside it waits. */
export async function ensurePatiently(temporal: Temporal, schedules: Recurring[], log: Logger): Promise<void> {
  for (const giveUpAt = Date.now() + PATIENCE_MS; ; await sleep(PAUSE_MS)) {
    try {
      return await ensureTemporal(temporal, schedules);
    } catch (err) {
      if (Date.now() > giveUpAt) throw err;
      log.warn({ err }, 'Temporal is not ready for a worker yet');
    }
  }
}

async function ensureSearchAttributes({ connection, namespace }: Temporal): Promise<void> {
  const known = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.values(searchAttributes).filter((name) => !(name in (known.customAttributes ?? {})));
  if (missing.length === 0) return;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
  });
}

async function ensureSchedule({ client }: Temporal, recurring: Recurring): Promise<void> {
  const { scheduleId, workflowType, everyMs, input, summary } = recurring;
  const spec = { intervals: [{ every: everyMs }] };
  const action = {
    type: 'startWorkflow' as const,
    workflowType,
    workflowId: workflowType,
    taskQueue: TASK_QUEUE,
    args: [input],
    staticSummary: summary,
  };
  const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' };
  try {
    await client.schedule.create({ scheduleId, spec, action, policies });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    // It may have been made under other settings.
    const schedule = client.schedule.getHandle(scheduleId);
    await schedule.update((previous) => ({ ...previous, spec, action, policies }));
  }
}

/** Keeps ensuring until stopped; a Temporal that is away is tried again the next time. */
export function keepEnsuring(temporal: Temporal, schedules: Recurring[], log: Logger): () => void {
  const again = () =>
    void ensureTemporal(temporal, schedules).catch((err: unknown) =>
      log.warn({ err }, 'Temporal could not be looked after'),
    );
  const timer = setInterval(again, AGAIN_AFTER_MS);
  return () => clearInterval(timer);
}
