import { setTimeout as sleep } from 'node:timers/promises';
import type { Request, Response } from 'express';
import type { ErrorCode } from '../contracts/errors';
import { isTransactionId } from '../contracts/ids';
import * as schemas from '../contracts/schemas';
import { isFinal, type DecisionKind, type ResolvedAs, type TransactionType } from '../contracts/statuses';
import { transferWorkflowId } from '../contracts/transfers';
import type { Outcome } from '../ledger/commands';
import { houseOf } from '../ledger/data-keys';
import { decisionId } from '../ledger/identity';
import { findTransaction, type FoundTransaction } from '../ledger/queries';
import { fieldOf } from '../ledger/seal';
import type { Shard } from '../ledger/shards';
import { actingBy } from './acting';
import { mayDo, requireCaller } from './auth';
import type { ApiDeps } from './deps';
import { startedPayment } from './payment-answers';
import { post, unexpected } from './posting';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { showTransactions } from './showing';
import { transactionIdParameter } from './transactions';
import { optionalIdempotencyKey } from './validate';

/** How long an answer waits for a transfer's workflow to do what it was told. */
const TRANSFER_WAIT_MS = 3_000;
const LOOK_EVERY_MS = 50;
const BEING_POSTED = 'It is being posted.';

/** Whose workflows load decisions from Postgres; a transfer's knows `retry` and `cancel` alone. */
const DECIDED_IN_POSTGRES: readonly TransactionType[] = ['deposit', 'withdrawal', 'adjustment'];

const ABOUT: Record<DecisionKind, { summary: string; description: string; problems: readonly ErrorCode[] }> = {
  approve: {
    summary: 'Approve what waits for it',
    description: 'By another person than who asked for it.',
    problems: ['not_awaiting_approval', 'own_request'],
  },
  reject: {
    summary: 'Reject what waits for approval',
    description: 'By another person than who asked for it. What was held is given back.',
    problems: ['not_awaiting_approval', 'own_request'],
  },
  retry: {
    summary: 'Try again now',
    description: 'What needs attention goes on trying by itself, too, at a slow beat.',
    problems: ['too_late'],
  },
  cancel: {
    summary: 'Cancel, if it is not too late',
    description:
      'By staff, or by the customer who asked for it. 200: cancelled, and nothing has moved. 202: it is being undone. ' +
      '409 `too_late`, with the transaction as it truly is: its money has moved, or is on its way.',
    problems: ['too_late'],
  },
  resolve: {
    summary: 'Say how what needs attention ends',
    description:
      'For when the bank’s word won’t come, and people have found out what became of the money. It takes two: the first ' +
      'proposes an outcome, and another person who says the same confirms it.',
    problems: ['not_in_attention', 'own_request', 'second_person_needed', 'not_resolvable'],
  },
};

interface Said {
  kind: DecisionKind;
  note?: string | undefined;
  outcome?: ResolvedAs;
}

/** A transaction that somebody may decide about. */
interface About {
  shard: Shard;
  row: FoundTransaction;
}

type Written = Extract<Outcome, { kind: 'decision' }>;

/** What a person says of a transaction: the books judge and keep it first, and then its workflow is told. */
export function decisionRoutes(deps: ApiDeps): Route[] {
  return (Object.keys(ABOUT) as DecisionKind[]).map((kind) => {
    const { summary, description, problems } = ABOUT[kind];
    return route({
      id: `${kind}Transaction`,
      method: 'post',
      path: `/v1/transactions/:transactionId/${kind}`,
      tag: 'Transactions',
      summary,
      description,
      auth: `transactions:${kind}`,
      pathParameters: transactionIdParameter,
      headers: {
        'Idempotency-Key': { description: 'The same one again is the same decision', schema: schemas.idempotencyKey },
      },
      body: kind === 'resolve' ? schemas.resolveRequest : schemas.decisionRequest,
      answers: { 200: answered('It has ended'), 202: answered('Written down; the transaction goes on by itself') },
      problems: ['not_found', 'idempotency_key_reused', 'not_started', 'outcome_unknown', ...problems],
      handler: ({ req, res, body }) => answer(deps, { req, res }, { kind, ...body }),
    });
  });
}

function answered(description: string) {
  const headers = { 'Holdfast-Decision': '`final`, or `proposed` while another person has to confirm it' };
  return { description, schema: schemas.transaction, headers };
}

async function answer(deps: ApiDeps, { req, res }: { req: Request; res: Response }, said: Said): Promise<void> {
  const about = await find(deps, req, said.kind);
  const isOwnWorkflows = DECIDED_IN_POSTGRES.includes(about.row.type);
  if (!isOwnWorkflows) await refuseOfTransfer(deps, about, said.kind);
  const written = await write(deps, req, about, said);
  if (isOwnWorkflows) await tellPayment(deps, about, said.kind, written);
  else if (!isFinal(written.status)) await tellTransfer(deps, about, said.kind);
  const transaction = await transactionNow(deps, about);
  const isOver = isFinal(transaction.status);
  if (said.kind === 'cancel' && transaction.status === 'completed') {
    throw new Problem('too_late', { transaction });
  }
  res.setHeader('Holdfast-Decision', written.state);
  sendJson(res, isOver ? 200 : 202, transaction);
}

/** Who may not decide about it learns nothing of it. */
async function find({ shards }: ApiDeps, req: Request, kind: DecisionKind): Promise<About> {
  const caller = requireCaller(req);
  const id = String(req.params['transactionId']);
  const shard = isTransactionId(id) ? shards.forId(id) : undefined;
  const row = shard && (await findTransaction(shard.db, id));
  const mayDecide = kind !== 'cancel' || mayDo(caller, 'transactions:cancel-any') || row?.actor_id === caller.userId;
  if (!row || !mayDecide) throw new Problem('not_found');
  req.context.transactionId = id;
  return { shard, row };
}

async function refuseOfTransfer(deps: ApiDeps, about: About, kind: DecisionKind): Promise<void> {
  const { id, status, owner_workflow: owner } = about.row;
  if (kind === 'resolve') throw new Problem('not_resolvable');
  const isTold = kind === 'retry' || kind === 'cancel';
  if (isTold && !isFinal(status) && owner !== transferWorkflowId(id)) throw await tooLate(deps, about, BEING_POSTED);
}

/** The books know under their lock whether it may be decided, and keep who did. */
async function write(deps: ApiDeps, req: Request, { shard, row }: About, said: Said): Promise<Written> {
  const caller = requireCaller(req);
  const { kind, note, outcome } = said;
  const id = decisionId(row.id, caller.userId, kind, optionalIdempotencyKey(req));
  const seal = (text: string) => deps.sealer.seal(houseOf(shard.number), fieldOf.note(id), text);
  const result = await post(shard, {
    kind: 'decision',
    id,
    transactionId: row.id,
    decision: kind,
    ...(await actingBy(req, deps.sealer, shard.number)),
    role: req.context.role ?? 'customer',
    ...(note !== undefined && { noteSealed: await seal(note) }),
    ...(outcome !== undefined && { outcome }),
  });
  if (result.kind === 'decision') return result;
  throw await refusalOf(deps, { shard, row }, result);
}

async function refusalOf(deps: ApiDeps, about: About, outcome: Outcome): Promise<Error> {
  if (outcome.kind === 'conflict') return new Problem('idempotency_key_reused');
  if (outcome.kind !== 'refused') return unexpected(outcome);
  switch (outcome.reason) {
    case 'unknown_transaction':
      return new Problem('not_found');
    case 'too_late':
      return tooLate(deps, about);
    case 'own_request':
    case 'second_person_needed':
    case 'not_awaiting_approval':
    case 'not_in_attention':
      return new Problem(outcome.reason);
    default:
      return unexpected(outcome);
  }
}

async function tellPayment(deps: ApiDeps, about: About, kind: DecisionKind, written: Written): Promise<void> {
  const { owners } = deps;
  const { id, type, currency, amount } = about.row;
  const payment = startedPayment({ id, type, currency, amountMinor: amount, status: written.status });
  if (kind === 'approve' || kind === 'reject' || kind === 'resolve') {
    if (written.state === 'final') await owners.news(payment);
  } else if (isFinal(written.status)) {
    return;
  } else if (kind === 'retry') {
    await owners.retry(payment);
  } else if ((await owners.cancel(payment)) === 'too_late') {
    throw await tooLate(deps, about);
  }
}

async function tellTransfer(deps: ApiDeps, about: About, kind: DecisionKind): Promise<void> {
  const told = await deps.owners.signalTransfer(about.row.id, kind === 'cancel' ? 'cancel' : 'retry');
  if (told === 'unknown') throw new Problem('not_started', { detail: 'Its workflow could not be told just now.' });
  if (told === 'told') await untilFinal(about);
  else if (!isFinal((await readAgain(about)).status)) throw await tooLate(deps, about, BEING_POSTED);
}

async function untilFinal(about: About): Promise<void> {
  for (const giveUpAt = Date.now() + TRANSFER_WAIT_MS; Date.now() < giveUpAt; await sleep(LOOK_EVERY_MS)) {
    if (isFinal((await readAgain(about)).status)) return;
  }
}

async function readAgain({ shard, row }: About): Promise<FoundTransaction> {
  return (await findTransaction(shard.db, row.id))!;
}

async function transactionNow(deps: ApiDeps, about: About): Promise<schemas.TransactionView> {
  const [transaction] = await showTransactions(deps)(about.shard.db, [await readAgain(about)]);
  return transaction!;
}

async function tooLate(deps: ApiDeps, about: About, detail?: string): Promise<Problem> {
  return new Problem('too_late', { detail, transaction: await transactionNow(deps, about) });
}
