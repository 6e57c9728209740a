import type { z } from 'zod';
import { systemAccountId, walletName } from '../contracts/ids';
import { ownerWorkflowId } from '../contracts/payments';
import * as schemas from '../contracts/schemas';
import type { Command, FirstStatus, TransactionFacts } from '../ledger/commands';
import { commandHash, transactionId } from '../ledger/identity';
import type { NamedAccount } from '../ledger/names';
import type { Shard } from '../ledger/shards';
import { BankAccounts, type BankAccount } from '../payments/bank-accounts';
import { readAmount, readWallet } from './amounts';
import { requireCaller, type Caller } from './auth';
import type { ApiDeps } from './deps';
import { ownWallet } from './own-wallet';
import {
  answerPayment,
  earlierStanding,
  paymentAnswer,
  paymentRow,
  postPayment,
  readPatience,
  type AskedPayment,
} from './payment-answers';
import { Problem } from './problems';
import { shownStatus } from './wallets';
import { route, type Route } from './routes';
import { requireIdempotencyKey } from './validate';

type Kind = 'deposit' | 'withdrawal';
type PaymentFields = z.infer<typeof schemas.paymentRequest>;

const ABOUT = {
  deposit: {
    id: 'createDeposit',
    auth: 'deposits:create',
    path: '/v1/deposits',
    summary: 'Collect money from my bank account into a wallet',
    says: 'The wallet has it once the bank has settled.',
  },
  withdrawal: {
    id: 'createWithdrawal',
    auth: 'withdrawals:create',
    path: '/v1/withdrawals',
    summary: 'Pay money from a wallet to my bank account',
    says: 'Its money is held at once: 422 when there is too little. A large one waits for a second person’s approval.',
  },
} as const;

/** Money between a customer's wallet and bank account. */
export function paymentRoutes(deps: ApiDeps): Route[] {
  return [paymentRoute(deps, 'deposit'), paymentRoute(deps, 'withdrawal')];
}

function paymentRoute(deps: ApiDeps, kind: Kind): Route {
  const { id, auth, path, summary, says } = ABOUT[kind];
  return route({
    id,
    method: 'post',
    path,
    tag: 'Payments',
    summary,
    description:
      `Answers 202 as soon as it is durable; it then goes on by itself. ${says} With a wait, 201 once it is completed. ` +
      'Sending it again with the same key is always safe.',
    auth,
    ...paymentRow,
    query: schemas.paymentQuery,
    body: schemas.paymentRequest,
    answers: { 201: paymentAnswer('Completed'), 202: paymentAnswer('Under way') },
    problems: [...paymentRow.problems, 'bank_account_unverified', 'bank_account_refused', 'wallet_not_open'],
    async handler({ req, res, body, query }) {
      const caller = requireCaller(req);
      const key = requireIdempotencyKey(req);
      const shard = deps.shards.forId(caller.userId)!;
      const { asked, earlier } = await ask(deps, { caller, shard, kind, key }, body);
      const posted = earlier ?? (await postPayment(shard, commandOf(deps, kind, asked.facts)));
      await answerPayment(deps, { req, res }, { asked, posted, patience: readPatience(req, query.wait) });
    },
  });
}

/** Reads a request as a payment. One that was asked for before is not judged again by how things stand now. */
async function ask(
  deps: ApiDeps,
  { caller, shard, kind, key }: { caller: Caller; shard: Shard; kind: Kind; key: string },
  fields: PaymentFields,
) {
  const name = readWallet(fields.wallet, '/wallet');
  const amountMinor = readAmount(fields.amount, name.currency);
  const wallet = await ownWallet(deps, caller, name);
  const ids = { id: transactionId(caller.userId, key), hash: hashOf(deps, kind, wallet, amountMinor, fields) };
  const [earlier, bankAccount, status] = await Promise.all([
    earlierStanding(shard, ids),
    new BankAccounts(deps.shards, deps.sealer, deps.commandKey).find(caller.userId, fields.bankAccount),
    statusOf(shard, wallet),
  ]);
  if (!earlier) {
    refuseBankAccount(bankAccount);
    // The books see to it that nothing leaves such a wallet.
    if (kind === 'deposit' && status !== 'open') throw new Problem('wallet_not_open', { detail: `It is ${status}.` });
  }
  return { asked: askedPayment({ kind, caller, shard, wallet, amountMinor, ids, bankAccount: bankAccount! }), earlier };
}

function hashOf(deps: ApiDeps, kind: Kind, wallet: NamedAccount, amountMinor: bigint, fields: PaymentFields): string {
  const { currency } = wallet;
  const [from, to] = sides(kind, walletName(wallet), `@bank.${currency}`);
  const facts = { type: kind, from, to, currency, amountMinor, message: null, bankAccount: fields.bankAccount };
  return commandHash(deps.commandKey, facts);
}

/** A deposit comes from the bank, a withdrawal goes there. */
function sides(kind: Kind, wallet: string, bank: string): [from: string, to: string] {
  return kind === 'deposit' ? [bank, wallet] : [wallet, bank];
}

function refuseBankAccount(bankAccount: BankAccount | undefined): void {
  if (!bankAccount) throw new Problem('not_found', { detail: 'You have no such bank account.' });
  if (bankAccount.status === 'unverified') throw new Problem('bank_account_unverified');
  if (bankAccount.status === 'refused') {
    throw new Problem('bank_account_refused', { detail: bankAccount.reason ?? undefined });
  }
}

async function statusOf({ db }: Shard, { accountId }: NamedAccount) {
  const row = await db
    .selectFrom('accounts')
    .select(['status', 'owner_frozen'])
    .where('id', '=', accountId)
    .executeTakeFirstOrThrow();
  return shownStatus(row);
}

function askedPayment(of: {
  kind: Kind;
  caller: Caller;
  shard: Shard;
  wallet: NamedAccount;
  amountMinor: bigint;
  ids: { id: string; hash: string };
  bankAccount: BankAccount;
}): AskedPayment {
  const { kind, wallet, amountMinor, bankAccount } = of;
  const { currency } = wallet;
  const [from, to] = sides(kind, wallet.accountId, systemAccountId(of.shard.number, '@bank', currency));
  const [fromName, toName] = sides(kind, walletName(wallet), `@bank.${currency}`);
  return {
    facts: {
      ...of.ids,
      type: kind,
      actorId: of.caller.userId,
      from,
      to,
      amountMinor,
      currency,
      bankAccountId: bankAccount.id,
    },
    from: fromName,
    to: toName,
    message: null,
    bankAccount: { id: bankAccount.id, number: bankAccount.masked_number },
  };
}

function commandOf({ approvalFrom }: ApiDeps, kind: Kind, facts: TransactionFacts): Command {
  const owner = ownerWorkflowId(kind, facts.id);
  if (kind === 'deposit') return { kind: 'pend', facts, owner };
  const threshold = approvalFrom.get(facts.currency);
  const isLarge = threshold !== undefined && facts.amountMinor >= threshold;
  const status: FirstStatus = isLarge ? 'awaiting_approval' : 'pending';
  return { kind: 'hold', facts, step: 'hold', owner, status };
}
