/** What a reconciliation, its workflow and its activities say to each other: shards, ids and counts. */

export const RECONCILIATION_SCOPES = ['books', 'crossings', 'bank'] as const;
/** A shard's own books; the transfers between the shards; our entries and the bank's statement. */
export type ReconciliationScope = (typeof RECONCILIATION_SCOPES)[number];

export const RECONCILIATION_STATUSES = ['running', 'done', 'failed'] as const;
export type ReconciliationStatus = (typeof RECONCILIATION_STATUSES)[number];

export interface ReconcileInput {
  shards: number;
  /** What the bank moved, or we booked, so lately may not have reached the other yet. */
  youngMs: number;
  /** Names the run; one that a schedule starts is named by Temporal. */
  run?: string;
}

/** One part of a run, with a row of its own on its shard. */
export interface ReconciliationPart {
  id: string;
  run: string;
  scope: ReconciliationScope;
  shard: number;
  /** The days, UTC, that the bank is asked about. */
  days: string[];
  youngMs: number;
}

export interface ReconciledPart {
  id: string;
  status: ReconciliationStatus;
  checked: number;
  findings: number;
  error?: string;
}

export const RECONCILE_WORKFLOW_TYPE = 'reconcile';
export const RECONCILE_SCHEDULE_ID = 'holdfast-reconcile';
export const reconcileWorkflowId = (run: string) => `reconcile/${run}`;

const DAY_MS = 86_400_000;

/** All parts of a run. What concerns several shards has its row on the first. Of the bank, today and two days before. */
export function partsOf(run: string, { shards, youngMs }: ReconcileInput, now: number): ReconciliationPart[] {
  const days = [2, 1, 0].map((ago) => new Date(now - ago * DAY_MS).toISOString().slice(0, 10));
  const part = (scope: ReconciliationScope, shard: number): ReconciliationPart => ({
    id: `rc_${shard}_${scope}-${run}`,
    run,
    scope,
    shard,
    days,
    youngMs,
  });
  const books = Array.from({ length: shards }, (_, shard) => part('books', shard));
  return [...books, part('crossings', 0), part('bank', 0)];
}
