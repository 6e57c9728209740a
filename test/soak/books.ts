import type { Client, WorkflowHandle } from '@temporalio/client';
import type pg from 'pg';
import { rowsOf } from '../support/stack-books';

/** How each kind of transaction stands, and how many. */
export async function standings(books: pg.Client[]): Promise<Record<string, number>> {
  const rows = await rowsOf<{ line: string; n: bigint }>(
    books,
    `select concat_ws(' ', type, case when incoming then 'incoming' end, status, reason) as line, count(*) as n
     from transactions where type <> 'opening' group by 1 order by 1`,
  );
  const standing: Record<string, number> = {};
  for (const { line, n } of rows) standing[line] = (standing[line] ?? 0) + Number(n);
  return standing;
}

/** What has not ended, with the last that is known of it at the bank: for whoever looks for the reason. */
export async function unended(books: pg.Client[]): Promise<string[]> {
  const rows = await rowsOf<{ line: string }>(
    books,
    `select concat_ws(' ', t.id, t.type, t.status, t.reason, r.reference, r.state, r.reason) as line
     from transactions t left join bank_requests r on r.transaction_id = t.id where t.completed_at is null order by 1`,
  );
  return rows.map(({ line }) => line);
}

/** The workflows of what has not ended, as they stand at Temporal: for whoever looks for the reason. */
export async function theirOwners(books: pg.Client[], client: Client): Promise<object[]> {
  const rows = await rowsOf<{ owner: string }>(
    books,
    `select owner_workflow as owner from transactions where completed_at is null and owner_workflow is not null limit 5`,
  );
  return Promise.all(rows.map(({ owner }) => standingOf(client.workflow.getHandle(owner))));
}

async function standingOf(handle: WorkflowHandle): Promise<object> {
  const [{ raw }, { events }] = await Promise.all([handle.describe(), handle.fetchHistory()]);
  return {
    owner: handle.workflowId,
    status: raw.workflowExecutionInfo?.status,
    activities: raw.pendingActivities,
    task: raw.pendingWorkflowTask,
    last: events?.slice(-30).map((event) => JSON.stringify(event)),
  };
}

/** Those that customers asked for, by id. */
export async function askedFor(books: pg.Client[]): Promise<string[]> {
  const rows = await rowsOf<{ id: string }>(
    books,
    `select id from transactions where actor_id not in ('@bank') and not incoming
       and type in ('deposit', 'withdrawal', 'transfer', 'refund')`,
  );
  return rows.map(({ id }) => id).sort();
}

/** What the bank moved twice, which ops was told of: by transaction, as the bank's balance has it. */
export async function secondSettlements(books: pg.Client[]): Promise<Record<string, bigint>> {
  const rows = await rowsOf<{ id: string; reason: string; event: string }>(
    books,
    `select transaction_id as id, reason, event from bank_inbox where status = 'needs_attention'`,
  );
  expect(rows.filter(({ reason }) => reason !== 'double_settlement')).toEqual([]);
  const moved: Record<string, bigint> = {};
  for (const { id, event } of rows) {
    const { fact } = JSON.parse(event) as { fact: { reference: string; amountMinor: string } };
    const amount = BigInt(fact.amountMinor);
    moved[id] = (moved[id] ?? 0n) + (fact.reference.includes(':payout:') ? -amount : amount);
  }
  return moved;
}

export const OPEN = 'transactions where completed_at is null';
/** What the bank told that nothing has been made of yet. */
export const UNREAD = `bank_inbox where status = 'new'`;
