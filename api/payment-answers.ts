import type { Request, Response } from 'express';
import { z } from 'zod';
import { ownerWorkflowId } from '../contracts/payments';
import * as schemas from '../contracts/schemas';
import { isFinal } from '../contracts/statuses';
import type { Command, TransactionFacts, TransactionOutcome } from '../ledger/commands';
import { findTransaction } from '../ledger/queries';
import type { Shard } from '../ledger/shards';
import type { StartedPayment } from '../workflows/start-options';
import type { ApiDeps } from './deps';
import { passedLimit } from './passed-limits';
import { post, unexpected } from './posting';
import { Problem, type ProblemOptions } from './problems';
import type { Route } from './routes';
import { sendJson } from './send';
import { clearTransactionView } from './views';

/** A payment that was asked for: what the books are told of it, and how it is shown. */
export interface AskedPayment {
  facts: TransactionFacts;
  from: string;
  to: string;
  message: string | null;
  bankAccount: { id: string; number: string } | null;
}

/** How it stands in the books. */
export type Standing = Pick<TransactionOutcome, 'status' | 'reason' | 'createdAt' | 'completedAt' | 'replayed'>;

/** How long a client wants to wait for the outcome, and whether it said so by a preference. */
export interface Patience {
  seconds: number;
  preferred?: boolean;
}

/** What the rows of all routes that ask for a payment have in common. */
export const paymentRow = {
  rate: 'money',
  headers: {
    'Idempotency-Key': {
      description: 'One per thing asked for, yours to choose',
      schema: schemas.idempotencyKey,
      required: true,
    },
    Prefer: { description: '`wait=N` waits N seconds for the outcome, as `?wait=N` does', schema: z.string() },
  },
  problems: [
    'missing_idempotency_key',
    'not_found',
    'idempotency_key_reused',
    'transaction_rejected',
    'shard_unavailable',
    'outcome_unknown',
  ],
} satisfies Partial<Route>;

export function paymentAnswer(description: string) {
  return {
    description,
    schema: schemas.transaction,
    headers: {
      Location: 'Its address',
      'Idempotent-Replayed': '`true` when the transaction was there before this request',
    },
  };
}

export function readPatience(req: Request, wait: number | undefined): Patience {
  if (wait !== undefined) return { seconds: wait };
  const preferred = /(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])/i.exec(req.get('prefer') ?? '')?.[1];
  if (preferred === undefined) return { seconds: 0 };
  return { seconds: Math.min(Number(preferred), schemas.MAX_WAIT_SECONDS), preferred: true };
}

/** What an earlier request with the same key came to; undefined when there was none. */
export async function earlierStanding(
  { db }: Shard,
  { id, hash }: Pick<TransactionFacts, 'id' | 'hash'>,
): Promise<Standing | undefined> {
  const row = await findTransaction(db, id);
  if (row && row.command_hash !== hash) throw reusedKey();
  return row && standingOf(row);
}

export async function postPayment(shard: Shard, command: Command): Promise<Standing> {
  const outcome = await post(shard, command);
  if (outcome.kind === 'conflict') throw reusedKey();
  if (outcome.kind !== 'transaction') throw unexpected(outcome);
  return outcome;
}

/**
 * It is in Postgres: its workflow is started, and waited for as long as the client wants to. Whatever becomes of that,
 * the answer is what is known.
 */
export async function answerPayment(
  { shards, owners }: Pick<ApiDeps, 'shards' | 'owners'>,
  { req, res }: { req: Request; res: Response },
  { asked, posted, patience }: { asked: AskedPayment; posted: Standing; patience: Patience },
): Promise<void> {
  const { id } = asked.facts;
  req.context.transactionId = id;
  req.context.workflowId = ownerWorkflowId(asked.facts.type, id);
  let standing = posted;
  if (!isFinal(posted.status)) {
    const payment = startedPayment({ ...asked.facts, status: posted.status });
    const isNew = !posted.replayed;
    req.context.mayWait = patience.seconds > 0;
    await (patience.seconds > 0 ? owners.start(payment, isNew) : owners.startSoon(payment, isNew));
    if (patience.seconds > 0) {
      await owners.waitFor(payment, patience.seconds * 1_000);
      const now = await findTransaction(shards.forId(id)!.db, id).catch(() => undefined);
      if (now) standing = { ...standingOf(now), replayed: posted.replayed };
    }
  }
  const limit = await passedLimit(shards, { id, reason: standing.reason });
  respond(res, asked, standing, { patience, limit });
}

function respond(
  res: Response,
  asked: AskedPayment,
  standing: Standing,
  { patience, limit }: { patience: Patience; limit: ProblemOptions['limit'] },
): void {
  const transaction = view(asked, standing);
  const headers: Record<string, string> = { Location: transaction.links.self };
  if (standing.replayed) headers['Idempotent-Replayed'] = 'true';
  if (patience.preferred) headers['Preference-Applied'] = `wait=${patience.seconds}`;
  if (standing.status === 'rejected' || standing.status === 'cancelled') {
    throw new Problem('transaction_rejected', { detail: standing.reason ?? undefined, transaction, limit, headers });
  }
  for (const name of Object.keys(headers)) res.setHeader(name, headers[name]!);
  sendJson(res, standing.status === 'completed' ? 201 : 202, transaction);
}

function view({ facts, ...shown }: AskedPayment, standing: Standing): schemas.TransactionView {
  const { id, type, amountMinor, currency } = facts;
  return clearTransactionView({ id, type, amountMinor, currency, linkedTo: null, ...shown, ...standing });
}

export function startedPayment(
  facts: Pick<StartedPayment, 'id' | 'type' | 'status' | 'currency'> & { amountMinor: bigint },
): StartedPayment {
  const { id, type, status, currency, amountMinor } = facts;
  return { id, type, status, currency, amountMinor: amountMinor.toString() };
}

function standingOf(row: NonNullable<Awaited<ReturnType<typeof findTransaction>>>): Standing {
  const { status, reason, created_at: createdAt, completed_at: completedAt } = row;
  return { status, reason, createdAt, completedAt, replayed: true };
}

function reusedKey(): Problem {
  return new Problem('idempotency_key_reused', { detail: 'This key belongs to another command of yours.' });
}
