import { MONTHS_SCHEDULE_ID, MONTHS_WORKFLOW_TYPE, type MonthsInput } from '../contracts/months';
import { NOTIFY_SCHEDULE_ID, NOTIFY_WORKFLOW_TYPE, type NotifyInput } from '../contracts/notifications';
import { RECONCILE_SCHEDULE_ID, RECONCILE_WORKFLOW_TYPE, type ReconcileInput } from '../contracts/reconciliation';
import { SNAPSHOTS_SCHEDULE_ID, SNAPSHOTS_WORKFLOW_TYPE, type SnapshotsInput } from '../contracts/snapshots';
import { SWEEP_SCHEDULE_ID, workflowTypes, type SweepInput } from '../contracts/transfers';

/** A workflow that Temporal starts every so often, unless the one before still runs. */
export interface Recurring {
  scheduleId: string;
  workflowType: string;
  everyMs: number;
  input: object;
  summary: string;
}

export function sweepSchedule(everyMs: number, input: SweepInput): Recurring {
  return {
    scheduleId: SWEEP_SCHEDULE_ID,
    workflowType: workflowTypes.sweep,
    everyMs,
    input,
    summary: 'Start again what lost its workflow',
  };
}

export function notifySchedule(everyMs: number, input: NotifyInput): Recurring {
  return {
    scheduleId: NOTIFY_SCHEDULE_ID,
    workflowType: NOTIFY_WORKFLOW_TYPE,
    everyMs,
    input,
    summary: 'Tell people what happened',
  };
}

export function reconcileSchedule(everyMs: number, input: ReconcileInput): Recurring {
  return {
    scheduleId: RECONCILE_SCHEDULE_ID,
    workflowType: RECONCILE_WORKFLOW_TYPE,
    everyMs,
    input,
    summary: 'Hold the books against themselves, each other, and the bank',
  };
}

const DAY_MS = 86_400_000;

export function monthsSchedule(input: MonthsInput): Recurring {
  return {
    scheduleId: MONTHS_SCHEDULE_ID,
    workflowType: MONTHS_WORKFLOW_TYPE,
    everyMs: DAY_MS,
    input,
    summary: 'Make the tables of the coming months',
  };
}

export function snapshotsSchedule(everyMs: number, input: SnapshotsInput): Recurring {
  return {
    scheduleId: SNAPSHOTS_SCHEDULE_ID,
    workflowType: SNAPSHOTS_WORKFLOW_TYPE,
    everyMs,
    input,
    summary: 'Write down what every account has',
  };
}
