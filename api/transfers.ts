import type { z } from 'zod';
import * as schemas from '../contracts/schemas';
import { isCurrency } from '../contracts/currencies';
import { parseWalletName, walletName, type WalletName } from '../contracts/ids';
import { commandHash, transactionId } from '../ledger/identity';
import { fieldOf } from '../ledger/seal';
import { problems } from '../metrics/instruments';
import { readAmount, readWallet } from './amounts';
import { requireCaller, type Caller } from './auth';
import type { ApiDeps } from './deps';
import { LaneRefusal, type LaneAnswer } from './lane';
import { answerThroughLane, laneRow, problemOf, laneView, type Asked } from './lane-answers';
import { ownWallet } from './own-wallet';
import { passedLimits, type PassedLimits } from './passed-limits';
import { asProblem, Problem, toProblemJson } from './problems';
import { requestIdOf } from './request-context';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { requireIdempotencyKey } from './validate';

const BULK_LIMIT_BYTES = 1024 * 1024;
const BULK_PATH = '/v1/transfers/bulk';
/** By the bulk so many count as one request. */
const TRANSFERS_A_REQUEST = 10;

export function transferRoutes(deps: ApiDeps): Route[] {
  for (const code of laneRow.problems) problems.inc({ route: BULK_PATH, code }, 0);
  return [
    route({
      id: 'createTransfer',
      method: 'post',
      path: '/v1/transfers',
      tag: 'Transfers',
      summary: 'Move money to another wallet',
      description:
        'Answers 201 once the books have it, 422 with the rejected `transaction` when they refuse, and 202 when it could ' +
        'not settle in time: it then goes on by itself. Sending it again with the same key is always safe.',
      auth: 'transfers:create',
      ...laneRow,
      body: schemas.transferRequest,
      async handler({ req, res, body }) {
        const caller = requireCaller(req);
        const asked = await ask(deps, caller, requireIdempotencyKey(req), body, requestIdOf(req), '');
        await answerThroughLane(deps, { req, res }, asked);
      },
    }),
    route({
      id: 'createTransfers',
      method: 'post',
      path: BULK_PATH,
      tag: 'Transfers',
      summary: 'Up to 1,000 transfers in one request',
      description:
        'Each transfer has its own key and its own result, in order. A refused one leaves the others alone; a malformed ' +
        'request is refused whole.',
      auth: 'transfers:create',
      rate: 'money',
      cost: ({ transfers }) => Math.ceil(transfers.length / TRANSFERS_A_REQUEST),
      body: schemas.bulkRequest,
      bodyLimitBytes: BULK_LIMIT_BYTES,
      compress: true,
      answers: { 207: { description: 'A result for each', schema: schemas.bulkResult } },
      problems: ['not_found', 'overloaded', 'not_started', 'outcome_unknown'],
      async handler({ req, res, body }) {
        const results = await bulk(deps, requireCaller(req), body.transfers, requestIdOf(req));
        for (const { problem } of results) if (problem) problems.inc({ route: BULK_PATH, code: problem.code });
        sendJson(res, 207, { results });
      },
    }),
  ];
}

type TransferFields = z.infer<typeof schemas.transferRequest>;

/** Reads a request as a command: checks what can be wrong with it by itself, and finds the accounts it names. */
async function ask(
  deps: ApiDeps,
  caller: Caller,
  key: string,
  fields: TransferFields,
  requestId: string,
  at: string,
): Promise<Asked> {
  const { from, to, amountMinor } = readFields(fields, at);
  const { names, sealer } = deps;
  const source = await ownWallet(deps, caller, from);
  const target = isCurrency(to.currency) ? (names.cached(to) ?? (await names.resolve(to))) : undefined;
  const { currency } = source;
  const message = fields.message ?? null;
  const [fromName, toName] = [walletName(from), walletName(to)];
  const id = transactionId(caller.userId, key);
  const seal = (field: string, text: string) => sealer.seal(caller.userId, field, text);
  const facts = { type: 'transfer', from: fromName, to: toName, currency, amountMinor, message };
  return {
    from: fromName,
    to: toName,
    amountMinor,
    message,
    item: {
      id,
      hash: commandHash(deps.commandKey, facts),
      actor: caller.userId,
      from: source.accountId,
      ...(target ? { to: target.accountId } : { toNameSealed: await seal(fieldOf.recipient(id), toName) }),
      amountMinor: amountMinor.toString(),
      currency,
      ...(message !== null && { messageSealed: await seal(fieldOf.message(id), message) }),
      requestId,
    },
  };
}

function readFields(fields: TransferFields, at: string): { from: WalletName; to: WalletName; amountMinor: bigint } {
  const from = readWallet(fields.from, `${at}/from`);
  return {
    from,
    to: parseWalletName(fields.to)!,
    amountMinor: readAmount(fields.amount, from.currency, `${at}/amount`),
  };
}

async function bulk(
  deps: ApiDeps,
  caller: Caller,
  transfers: z.infer<typeof schemas.bulkRequest>['transfers'],
  requestId: string,
): Promise<BulkItem[]> {
  const asked = await Promise.all(
    transfers.map(({ idempotencyKey, ...fields }, index) =>
      ask(deps, caller, idempotencyKey, fields, requestId, `/transfers/${index}`).catch(problemOnly),
    ),
  );
  // What is malformed refuses all, before anything is sent.
  const malformed = asked.filter((each) => each instanceof Problem && each.code === 'invalid_request') as Problem[];
  if (malformed.length > 0) {
    throw new Problem('invalid_request', { errors: malformed.flatMap((each) => each.options.errors ?? []) });
  }
  const good = asked.filter((each) => !(each instanceof Problem)) as Asked[];
  const answers = await deps.lanes.submitAll(good.map((each) => each.item));
  const limits = await passedLimits(
    deps.shards,
    answers.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])),
  );
  let next = 0;
  return asked.map((each) => {
    if (each instanceof Problem) return refusedItem(each, requestId);
    const answer = answers[next++]!;
    return answer.status === 'fulfilled'
      ? itemResult(each, answer.value, { limits, requestId })
      : refusedItem(answer.reason, requestId);
  });
}

type BulkItem = z.infer<typeof schemas.bulkResult>['results'][number];

function itemResult(
  asked: Asked,
  answer: LaneAnswer,
  { limits, requestId }: { limits: PassedLimits; requestId: string },
): BulkItem {
  if (answer.status === 'conflict') return refusedItem(new Problem('idempotency_key_reused'), requestId);
  const transaction = laneView(asked, answer);
  const refused = answer.status === 'rejected' || answer.status === 'cancelled';
  if (!refused) return { status: answer.status === 'completed' ? 201 : 202, transaction, replayed: answer.replayed };
  const problem = toProblemJson(new Problem('transaction_rejected', { limit: limits.get(answer.id) }), { requestId });
  return { status: 422, transaction, problem, replayed: answer.replayed };
}

function refusedItem(error: unknown, requestId: string): BulkItem {
  const problem = error instanceof LaneRefusal ? problemOf(error) : problemOnly(error);
  return { status: problem.status, problem: toProblemJson(problem, { requestId }), replayed: false };
}

function problemOnly(error: unknown): Problem {
  const problem = asProblem(error);
  if (problem.code === 'internal') throw error;
  return problem;
}
