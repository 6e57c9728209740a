import type { z } from 'zod';
import { systemAccountId, walletName } from '../contracts/ids';
import { ownerWorkflowId } from '../contracts/payments';
import * as schemas from '../contracts/schemas';
import { houseOf } from '../ledger/data-keys';
import { commandHash, staffTransactionId } from '../ledger/identity';
import type { NamedAccount } from '../ledger/names';
import { fieldOf } from '../ledger/seal';
import { readAmount, readWallet } from './amounts';
import { requireCaller, type Caller } from './auth';
import type { ApiDeps } from './deps';
import {
  answerPayment,
  earlierStanding,
  paymentAnswer,
  paymentRow,
  postPayment,
  type AskedPayment,
} from './payment-answers';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { requireIdempotencyKey } from './validate';

export function adjustmentRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      id: 'createAdjustment',
      method: 'post',
      path: '/v1/ops/adjustments',
      tag: 'Ops',
      summary: 'Correct a wallet’s balance against @suspense',
      description:
        'Nothing moves until a second person has approved it. The reason is the transaction’s message, which the ' +
        'wallet’s owner reads.',
      auth: 'adjustments:create',
      rate: paymentRow.rate,
      headers: { 'Idempotency-Key': paymentRow.headers['Idempotency-Key'] },
      body: schemas.adjustmentRequest,
      answers: { 201: paymentAnswer('Completed before'), 202: paymentAnswer('Waits for approval, or is under way') },
      problems: paymentRow.problems,
      async handler({ req, res, body }) {
        const asked = await ask(deps, requireCaller(req), requireIdempotencyKey(req), body);
        const { facts } = asked;
        const shard = deps.shards.forId(facts.id)!;
        const owner = ownerWorkflowId('adjustment', facts.id);
        const posted =
          (await earlierStanding(shard, facts)) ??
          (await postPayment(shard, { kind: 'pend', facts, owner, status: 'awaiting_approval' }));
        await answerPayment(deps, { req, res }, { asked, posted, patience: { seconds: 0 } });
      },
    }),
  ];
}

async function ask(
  deps: ApiDeps,
  caller: Caller,
  key: string,
  fields: z.infer<typeof schemas.adjustmentRequest>,
): Promise<AskedPayment> {
  const name = readWallet(fields.wallet, '/wallet');
  const takesAway = fields.amount.startsWith('-');
  const amountMinor = readAmount(takesAway ? fields.amount.slice(1) : fields.amount, name.currency);
  const wallet = await deps.names.resolve(name);
  if (!wallet) throw new Problem('not_found', { detail: `There is no wallet ${walletName(name)}.` });
  const shard = deps.shards.forId(wallet.accountId)!.number;
  const sides = sidesOf(wallet, shard);
  const [source, target] = takesAway ? [sides.wallet, sides.suspense] : [sides.suspense, sides.wallet];
  const { currency } = wallet;
  const { reason } = fields;
  const id = staffTransactionId(caller.userId, shard, key);
  const named = {
    type: 'adjustment',
    from: source.name,
    to: target.name,
    currency,
    amountMinor,
    message: null,
    reason,
  };
  return {
    from: source.name,
    to: target.name,
    message: reason,
    bankAccount: null,
    facts: {
      id,
      type: 'adjustment',
      actorId: caller.userId,
      hash: commandHash(deps.commandKey, named),
      from: source.account,
      to: target.account,
      amountMinor,
      currency,
      messageSealed: await deps.sealer.seal(houseOf(shard), fieldOf.message(id), reason),
    },
  };
}

function sidesOf(wallet: NamedAccount, shard: number) {
  const { currency } = wallet;
  return {
    wallet: { account: wallet.accountId, name: walletName(wallet) },
    suspense: { account: systemAccountId(shard, '@suspense', currency), name: `@suspense.${currency}` },
  };
}
