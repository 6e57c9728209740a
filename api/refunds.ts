import type { z } from 'zod';
import { isTransactionId, shardOfId } from '../contracts/ids';
import * as schemas from '../contracts/schemas';
import { houseOf } from '../ledger/data-keys';
import { commandHash, staffTransactionId, transactionId } from '../ledger/identity';
import { findTransaction, type FoundTransaction } from '../ledger/queries';
import { fieldOf } from '../ledger/seal';
import type { Shard, Shards } from '../ledger/shards';
import { readAmount } from './amounts';
import { mayDo, requireCaller, type Caller } from './auth';
import type { ApiDeps } from './deps';
import { answerThroughLane, laneRow, type Asked } from './lane-answers';
import { Problem } from './problems';
import { requestIdOf } from './request-context';
import { route, type Route } from './routes';
import { transactionIdParameter } from './transactions';
import { requireIdempotencyKey } from './validate';

type RefundFields = z.infer<typeof schemas.refundRequest>;
/** A transfer that may be refunded has both its sides. */
type Original = FoundTransaction & { to_account: string };

export function refundRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      id: 'refundTransaction',
      method: 'post',
      path: '/v1/transactions/:transactionId/refund',
      tag: 'Transactions',
      summary: 'Give a transfer back, whole or in part',
      description:
        'By who received it, or by staff on their behalf. Without an amount, all that is left of it. However many ' +
        'refunds there are, together they never give back more than was sent.',
      auth: 'transactions:refund',
      ...laneRow,
      pathParameters: transactionIdParameter,
      body: schemas.refundRequest,
      problems: [...laneRow.problems, 'not_refundable'],
      async handler({ req, res, body }) {
        const caller = requireCaller(req);
        const key = requireIdempotencyKey(req);
        const original = await findOriginal(deps, caller, String(req.params['transactionId']));
        await answerThroughLane(deps, { req, res }, await ask(deps, { caller, key, original }, body, requestIdOf(req)));
      },
    }),
  ];
}

/** Who did not receive it, and may not give back others', learns nothing of it. */
async function findOriginal({ shards }: ApiDeps, caller: Caller, id: string): Promise<Original> {
  const mayAny = mayDo(caller, 'transactions:refund-any');
  const row = isTransactionId(id)
    ? await (mayAny ? findRecipients(shards, id) : findOn(shards.forId(caller.userId), id))
    : undefined;
  const isRecipients = row?.to_owner === caller.userId && row.status === 'completed';
  if (!row || !(isRecipients || mayAny)) throw new Problem('not_found');
  if (row.type !== 'transfer' || row.status !== 'completed') throw new Problem('not_refundable');
  return row as Original;
}

/** The recipient's own record of a transfer knows what was given back of it. */
async function findRecipients(shards: Shards, id: string): Promise<FoundTransaction | undefined> {
  const row = await findOn(shards.forId(id), id);
  const elsewhere = row?.to_account != null && shardOfId(row.to_account) !== shardOfId(id);
  return elsewhere ? ((await findOn(shards.forId(row.to_account!), id)) ?? row) : row;
}

async function findOn(shard: Shard | undefined, id: string): Promise<FoundTransaction | undefined> {
  return shard && findTransaction(shard.db, id);
}

async function ask(
  deps: ApiDeps,
  { caller, key, original }: { caller: Caller; key: string; original: Original },
  fields: RefundFields,
  requestId: string,
): Promise<Asked> {
  const { currency } = original;
  const asked = fields.amount === undefined ? undefined : readAmount(fields.amount, currency);
  const id = idOf(caller, key, original);
  const names = await deps.names.ofAccounts([original.to_account, original.from_account]);
  const from = names.get(original.to_account) ?? original.to_account;
  const to = names.get(original.from_account) ?? original.from_account;
  const message = fields.message ?? null;
  const author = original.to_owner === caller.userId ? caller.userId : houseOf(shardOfId(id)!);
  // "All that is left" is one command, whatever is left by the time it is sent again.
  const facts = { type: 'refund', from, to, currency, amountMinor: asked ?? 0n, message, linkedTo: original.id };
  const amountMinor = asked ?? (await allThatIsLeft(deps, id, original));
  return {
    from,
    to,
    amountMinor,
    message,
    item: {
      id,
      type: 'refund',
      linkedTo: original.id,
      hash: commandHash(deps.commandKey, facts),
      actor: caller.userId,
      from: original.to_account,
      to: original.from_account,
      amountMinor: amountMinor.toString(),
      currency,
      ...(message !== null && { messageSealed: await deps.sealer.seal(author, fieldOf.message(id), message) }),
      requestId,
    },
  };
}

function idOf(caller: Caller, key: string, original: Original): string {
  if (original.to_owner === caller.userId) return transactionId(caller.userId, key);
  return staffTransactionId(caller.userId, shardOfId(original.to_account)!, key);
}

/** As the first request with this key found it. When nothing is left, the whole is asked for, and the books refuse it. */
async function allThatIsLeft({ shards }: ApiDeps, id: string, original: Original): Promise<bigint> {
  const earlier = await findTransaction(shards.forId(id)!.db, id);
  if (earlier) return earlier.amount;
  return original.refunded < original.amount ? original.amount - original.refunded : original.amount;
}
