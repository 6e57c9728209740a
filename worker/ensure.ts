import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import {
  searchAttributes,
  SWEEP_SCHEDULE_ID,
  TASK_QUEUE,
  workflowTypes,
  type SweepInput,
} from '../contracts/transfers';
import type { Logger } from '../ledger/log';
import { withDeadline } from './deadline';
import type { Temporal } from './temporal';

const KEYWORD = 2;
const AGAIN_AFTER_MS = 60_000;
const CALL_DEADLINE_MS = 5_000;

/**
 * What Holdfast needs to find in Temporal besides its workflows. Made when a worker starts, and looked after now and
 * then, so that a Temporal which lost its data heals by itself.
 */
export async function ensureTemporal(temporal: Temporal, sweep: { everyMs: number; input: SweepInput }): Promise<void> {
  await withDeadline(temporal.connection, CALL_DEADLINE_MS, async () => {
    await ensureSearchAttributes(temporal);
    await ensureSweep(temporal, sweep);
  });
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

async function ensureSweep(
  { client }: Temporal,
  { everyMs, input }: { everyMs: number; input: SweepInput },
): Promise<void> {
  const spec = { intervals: [{ every: everyMs }] };
  const action = {
    type: 'startWorkflow' as const,
    workflowType: workflowTypes.sweep,
    workflowId: 'sweep',
    taskQueue: TASK_QUEUE,
    args: [input],
    staticSummary: 'Start again what lost its workflow',
  };
  const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' };
  try {
    await client.schedule.create({ scheduleId: SWEEP_SCHEDULE_ID, spec, action, policies });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    // It may have been made under other settings.
    const schedule = client.schedule.getHandle(SWEEP_SCHEDULE_ID);
    await schedule.update((previous) => ({ ...previous, spec, action, policies }));
  }
}

/** Keeps ensuring until stopped; a Temporal that is away is tried again the next time. */
export function keepEnsuring(
  temporal: Temporal,
  sweep: { everyMs: number; input: SweepInput },
  log: Logger,
): () => void {
  const again = () =>
    void ensureTemporal(temporal, sweep).catch((err: unknown) =>
      log.warn({ err }, 'Temporal could not be looked after'),
    );
  const timer = setInterval(again, AGAIN_AFTER_MS);
  return () => clearInterval(timer);
}
