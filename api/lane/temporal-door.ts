import { isGrpcServiceError, WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { LANE_TASK_QUEUE, workflowTypes, type GroupPart, type TransferSettings } from '../../contracts/transfers';
import type { Logger } from '../../ledger/log';
import { withDeadline } from '../../worker/deadline';
import type { transferGroup } from '../../workflows';

/** Ours, since the client would go on by itself for about ten seconds. */
const START_DEADLINE_MS = 2_000;
const RESULT_DEADLINE_MS = 30_000;
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5_000;
/** Then the sweep has it: its rows are in Postgres, and the door must not stay shut over one start. */
const RETRY_FOR_MS = 60_000;
/** The client's own first pause before it tries again is 100 ms, give or take a fifth. */
const SECOND_TRY_AFTER_MS = 75;
const MAX_NAMED_IN_SUMMARY = 5;

/** gRPC codes with which the server says no before it does anything. Every other failure leaves the start unknown. */
const DEFINITE_REFUSALS = new Set([
  3, // INVALID_ARGUMENT
  5, // NOT_FOUND: no such namespace
  7, // PERMISSION_DENIED
  8, // RESOURCE_EXHAUSTED
  12, // UNIMPLEMENTED
  16, // UNAUTHENTICATED
]);

export type AnsweredStart = { kind: 'started' } | { kind: 'refused'; error: unknown };
export type Start = AnsweredStart | { kind: 'unknown' };

/**
 * How the lane starts its workflows, and what it knows of Temporal's health. While a start's answer is unknown the door
 * is shut, so that later requests are refused with nothing sent; the same start is tried until it is answered.
 */
export class TemporalDoor {
  private unanswered = 0;

  constructor(
    private readonly client: Client,
    private readonly settings: TransferSettings,
    private readonly log: Logger,
  ) {}

  get isShut(): boolean {
    return this.unanswered > 0;
  }

  /** Durable once it says started. With eager start, its first task usually comes to this process with the answer. */
  async start(workflowId: string, parts: GroupPart[]): Promise<Start> {
    const askedAt = performance.now();
    try {
      await withDeadline(this.client.connection, START_DEADLINE_MS, () =>
        this.client.workflow.start<typeof transferGroup>(workflowTypes.transferGroup, {
          workflowId,
          taskQueue: LANE_TASK_QUEUE,
          args: [{ parts, settings: this.settings }],
          // Bounds how long an eager task that got lost on its way here keeps the group waiting.
          workflowTaskTimeout: '3s',
          requestEagerStart: true,
          ...describeGroup(parts),
        }),
      );
      return { kind: 'started' };
    } catch (error) {
      // A start tried again, whose first try did arrive.
      if (error instanceof WorkflowExecutionAlreadyStartedError) return { kind: 'started' };
      if (isRefusal(error, performance.now() - askedAt)) return { kind: 'refused', error };
      this.log.warn({ err: error, workflowId }, 'the answer to a workflow start is unknown');
      return { kind: 'unknown' };
    }
  }

  /** Goes on with a start whose answer is unknown until it is answered; meanwhile the door is shut. */
  async startBehind(workflowId: string, parts: GroupPart[]): Promise<AnsweredStart> {
    this.unanswered += 1;
    try {
      const giveUpAt = performance.now() + RETRY_FOR_MS;
      for (let pauseMs = RETRY_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS)) {
        await new Promise((resume) => setTimeout(resume, pauseMs).unref());
        const start = await this.start(workflowId, parts);
        if (start.kind !== 'unknown') return start;
        if (performance.now() > giveUpAt) return { kind: 'refused', error: new Error('Temporal did not answer') };
      }
    } finally {
      this.unanswered -= 1;
    }
  }

  /** Waits, within bounds, until a group that runs elsewhere is over; its outcomes are then in the books. */
  async waitFor(workflowId: string): Promise<void> {
    await withDeadline(this.client.connection, RESULT_DEADLINE_MS, () => this.client.workflow.result(workflowId));
  }
}

/** Whether the server surely did nothing: it said no, to the first try. What a later try is told says nothing of it. */
function isRefusal(error: unknown, afterMs: number): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return isGrpcServiceError(cause) && DEFINITE_REFUSALS.has(cause.code) && afterMs < SECOND_TRY_AFTER_MS;
}

/** What a person sees in the Web UI; Temporal allows 400 bytes of summary and 20 kB of details. */
function describeGroup(parts: readonly GroupPart[]) {
  const items = parts.flatMap((part) => part.items);
  const named = items.slice(0, MAX_NAMED_IN_SUMMARY).map(({ id }) => `\`${id}\``);
  const more = items.length > named.length ? ` and ${items.length - named.length} more (query \`items\`)` : '';
  return {
    staticSummary: items.length === 1 ? '1 transfer' : `${items.length} transfers`,
    staticDetails: `${named.join(', ')}${more}`,
  };
}
