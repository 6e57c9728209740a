import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { ownerWorkflowId, PAYMENT_TASK_QUEUE } from '../contracts/payments';
import { connectTemporal } from '../worker/temporal';
import { PAYMENTS, type Bench } from './measurements';
import { grid } from './report';

/** Later than the bank's answer, so that the outcome comes by webhook. */
const SETTLE_LATER_MS = 200;

/** What one payment is to Temporal, counted from its history. */
export interface TemporalCost {
  what: string;
  events: number;
  workflowTasks: number;
  activities: number;
  signals: number;
  /** Calls between Temporal and us: a start, a signal; of a task its poll, unless it comes with an answer, and its end. */
  roundTrips: number;
  /** Of its history, as the server counts them. */
  bytes: number;
}

type Event = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

/** A payment of each kind, with a bank that settles at once and with one that tells of it later. */
export async function measureTemporalCosts(bench: Bench): Promise<TemporalCost[]> {
  const { connectionOptions, namespace } = bench.api.config.temporal;
  const log = { info() {}, warn() {}, error() {} };
  const { client, connection } = await connectTemporal({ connectionOptions, namespace, log });
  const costs: TemporalCost[] = [];
  try {
    for (const settleAfterMs of [0, SETTLE_LATER_MS]) {
      await bench.restartBank(settleAfterMs);
      for (const type of PAYMENTS) {
        const handle = client.workflow.getHandle(ownerWorkflowId(type, await payOnce(bench, type)));
        await handle.result();
        const [{ events }, { historySize }] = await Promise.all([handle.fetchHistory(), handle.describe()]);
        const what = `a ${type}, settled after ${settleAfterMs} ms`;
        costs.push({ what, ...costOf(events ?? []), bytes: historySize ?? 0 });
      }
    }
  } finally {
    await connection.close();
  }
  return costs;
}

export function printTemporalCosts(costs: readonly TemporalCost[], say: (line: string) => void): void {
  const rows = costs.map((cost) => [
    cost.what,
    cost.events,
    cost.workflowTasks,
    cost.activities,
    cost.signals,
    cost.roundTrips,
    cost.bytes,
  ]);
  say(`\n${grid(['Temporal', 'events', 'workflow tasks', 'activities', 'signals', 'round trips', 'bytes'], rows)}`);
}

async function payOnce({ api, customers }: Bench, type: (typeof PAYMENTS)[number]): Promise<string> {
  const { wallet, bankAccount, token } = customers[0]!;
  const answer = await fetch(`http://127.0.0.1:${api.port}/v1/${type}s?wait=30`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify({ wallet, amount: '1.00', bankAccount }),
  });
  const { id } = (await answer.json()) as { id: string };
  if (answer.status !== 201) throw new Error(`A ${type} was answered ${answer.status}`);
  return id;
}

function costOf(events: readonly Event[]): Omit<TemporalCost, 'what' | 'bytes'> {
  const count = (isOne: (event: Event) => unknown) => events.filter((event) => Boolean(isOne(event))).length;
  const workflowTasks = count((event) => event.workflowTaskStartedEventAttributes);
  const activities = count((event) => event.activityTaskStartedEventAttributes);
  const signals = count((event) => event.workflowExecutionSignaledEventAttributes);
  const eager = count(isEager);
  const roundTrips = 1 + signals + 2 * (workflowTasks + activities) - eager;
  return { events: events.length, workflowTasks, activities, signals, roundTrips };
}

/** A first task that came with the answer to the start; an activity that came with the answer to the task that asked for it. */
function isEager({
  workflowExecutionStartedEventAttributes: started,
  activityTaskScheduledEventAttributes: asked,
}: Event) {
  return started?.eagerExecutionAccepted || asked?.taskQueue?.name === PAYMENT_TASK_QUEUE;
}
