import type { Request, Response } from 'express';
import { z } from 'zod';
import * as schemas from '../contracts/schemas';
import { isFinal } from '../contracts/statuses';
import type { TransferItem } from '../contracts/transfers';
import type { ApiDeps } from './deps';
import { LaneRefusal, type LaneAnswer } from './lane';
import { passedLimit } from './passed-limits';
import { Problem, type ProblemOptions } from './problems';
import type { Route } from './routes';
import { sendJson } from './send';
import { clearTransactionView } from './views';

/** What a client asked for, read and checked, with its item for the lane. */
export interface Asked {
  item: TransferItem;
  from: string;
  to: string;
  amountMinor: bigint;
  message: string | null;
}

/** What the rows of all routes that send a single item through the lane have in common. */
export const laneRow = {
  rate: 'money',
  headers: {
    'Idempotency-Key': {
      description: 'One per transfer, yours to choose',
      schema: schemas.idempotencyKey,
      required: true,
    },
    Prefer: { description: '`respond-async` answers 202 at once', schema: z.string() },
  },
  answers: { 201: answerOf('Completed'), 202: answerOf('Under way') },
  problems: [
    'missing_idempotency_key',
    'not_found',
    'idempotency_key_reused',
    'transaction_rejected',
    'not_started',
    'overloaded',
    'shard_unavailable',
    'outcome_unknown',
  ],
} satisfies Partial<Route>;

function answerOf(description: string) {
  const replayed = '`true` when the transaction was there before this request';
  return {
    description,
    schema: schemas.transaction,
    headers: { Location: 'Its address', 'Idempotent-Replayed': replayed },
  };
}

/** Sends it on its way, and answers what has become of it, or that it is under way. */
export async function answerThroughLane(
  { lanes, shards }: Pick<ApiDeps, 'lanes' | 'shards'>,
  { req, res }: { req: Request; res: Response },
  asked: Asked,
): Promise<void> {
  req.context.transactionId = asked.item.id;
  const wantsAsync = /(^|[,;\s])respond-async($|[,;\s])/i.test(req.get('prefer') ?? '');
  const answer = await (wantsAsync ? lanes.defer(asked.item) : lanes.submit(asked.item)).catch(asProblem);
  const limit = answer.status === 'rejected' ? await passedLimit(shards, answer) : undefined;
  respond(res, asked, answer, { wantsAsync, limit });
}

function asProblem(error: unknown): never {
  throw error instanceof LaneRefusal ? problemOf(error) : error;
}

export function problemOf({ code, cause, shard }: LaneRefusal): Problem {
  const detail = shard === undefined ? undefined : `Shard ${shard} is not reachable.`;
  return new Problem(code, { detail, cause });
}

function respond(
  res: Response,
  asked: Asked,
  answer: LaneAnswer,
  { wantsAsync, limit }: { wantsAsync: boolean; limit: ProblemOptions['limit'] },
): void {
  if (answer.status === 'conflict') {
    throw new Problem('idempotency_key_reused', { detail: 'This key belongs to another command of yours.' });
  }
  const transaction = laneView(asked, answer);
  const headers: Record<string, string> = { Location: transaction.links.self };
  if (answer.replayed) headers['Idempotent-Replayed'] = 'true';
  if (answer.status === 'rejected' || answer.status === 'cancelled') {
    throw new Problem('transaction_rejected', { detail: transaction.reason ?? undefined, transaction, limit, headers });
  }
  if (wantsAsync) headers['Preference-Applied'] = 'respond-async';
  for (const name of Object.keys(headers)) res.setHeader(name, headers[name]!);
  sendJson(res, isFinal(answer.status) ? 201 : 202, transaction);
}

export function laneView(asked: Asked, answer: Exclude<LaneAnswer, { status: 'conflict' }>): schemas.TransactionView {
  return clearTransactionView({
    id: answer.id,
    type: asked.item.type ?? 'transfer',
    status: answer.status,
    from: asked.from,
    to: asked.to,
    amountMinor: asked.amountMinor,
    currency: asked.item.currency,
    message: asked.message,
    reason: answer.reason ?? null,
    linkedTo: asked.item.linkedTo ?? null,
    bankAccount: null,
    createdAt: new Date(answer.createdAt),
    completedAt: answer.completedAt === undefined ? null : new Date(answer.completedAt),
  });
}
