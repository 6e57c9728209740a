import { ApplicationFailure } from '@temporalio/common';
import { isWorthANewAttempt } from '../bank/errors';
import { BankError, type BankAccountDetails, type BankFact } from '../bank/rail';
import type { BankAnswer } from '../contracts/payments';
import { isFinal } from '../contracts/statuses';
import type { Sealer } from '../ledger/seal';
import type { Shard } from '../ledger/shards';
import { bankAccountDetails } from '../payments/bank-accounts';
import {
  bankReference,
  bankStepOf,
  beginRequest,
  latestRequest,
  markPastVoiding,
  markVoiding,
  recordFact,
  type BankRequest,
} from '../payments/requests';
import { readPayment, type PaymentRow } from '../payments/stock';
import type { ActivityDeps } from './deps';
import { shardOf } from './shard-of';

/**
 * The bank's side of payments. What is sent is written down before, and what the bank answers is kept before anything
 * is made of it: so an answer that was lost is looked up, and nothing is sent twice under two references.
 */
export function bankActivities({ shards, rail, sealer }: ActivityDeps) {
  async function load(id: string): Promise<{ shard: Shard; payment: PaymentRow; request: BankRequest | undefined }> {
    const shard = await shardOf(shards, id);
    const [payment, request] = await Promise.all([readPayment(shard.db, id), latestRequest(shard.db, id)]);
    if (!payment) throw ApplicationFailure.nonRetryable(`There is no transaction ${id}`);
    return { shard, payment, request };
  }

  async function keep(shard: Shard, fact: BankFact, known?: BankRequest): Promise<BankAnswer> {
    await recordFact(shard.db, fact, known);
    return { reference: fact.reference, state: fact.state, ...(fact.reason !== undefined && { reason: fact.reason }) };
  }

  return {
    /** Asks the bank to collect or to pay out; what was asked before without an answer is looked up first. */
    async sendToBank(id: string): Promise<BankAnswer> {
      const { shard, payment, request: known } = await load(id);
      const { facts } = payment;
      const step = bankStepOf(facts.type);
      const request = await requestFor(shard, payment, known, 'sending');
      if (!request) return { reference: bankReference(id, step, 1), state: payment.status };
      if (request.state !== 'sending') return answerOf(request);
      if (request === known) {
        const fact = await ask(() => rail.lookUp(request.reference));
        if (fact.state !== 'unknown') return keep(shard, fact, request);
      }
      const order = {
        reference: request.reference,
        amountMinor: facts.amountMinor,
        currency: facts.currency,
        account: await accountOf(shard, sealer, facts.bankAccountId!),
      };
      const fact = await ask(() => (step === 'collect' ? rail.collect(order) : rail.payOut(order)));
      return keep(shard, fact, request);
    },

    /** Asks the bank how it stands: the safety net under its webhooks. */
    async lookUpAtBank(id: string): Promise<BankAnswer> {
      const { shard, request } = await load(id);
      if (!request) throw ApplicationFailure.nonRetryable(`Nothing of ${id} was sent`);
      return keep(shard, await ask(() => rail.lookUp(request.reference)), request);
    },

    /** Has the bank forbid the reference for ever, unless it has processed it; only its word counts. */
    async voidAtBank(id: string): Promise<BankAnswer> {
      const { shard, payment, request: known } = await load(id);
      const step = bankStepOf(payment.facts.type);
      const request = await requestFor(shard, payment, known, 'voiding');
      if (!request || isFinal(payment.status)) return { reference: bankReference(id, step, 1), state: payment.status };
      await markVoiding(shard.db, request.reference);
      const fact = await ask(() => rail.void(request.reference));
      // Neither forbidden nor known: then a request under way may still be processed.
      if (fact.state === 'unknown') throw ApplicationFailure.retryable('The bank has not forbidden it', 'not_voided');
      if (fact.state === 'accepted') await markPastVoiding(shard.db, request.reference);
      return keep(shard, fact);
    },

    /** Whether the account exists and is its holder's, before its first use. */
    async checkBankAccount(id: string): Promise<string> {
      const shard = await shardOf(shards, id);
      const { ok, reason } = await ask(async () => rail.checkAccount(await accountOf(shard, sealer, id)));
      const status = ok ? 'verified' : 'refused';
      await shard.db
        .updateTable('bank_accounts')
        .set({ status, reason: reason ?? null })
        .where('id', '=', id)
        .where('status', '=', 'unverified')
        .execute();
      return status;
    },
  };
}

/** What a step is about: the latest request, or the next one where the bank has refused that for now. */
async function requestFor(
  shard: Shard,
  { facts: { id, type } }: PaymentRow,
  known: BankRequest | undefined,
  state: 'sending' | 'voiding',
): Promise<BankRequest | undefined> {
  if (known && !isToBeRepeated(known)) return known;
  const attempt = (known?.attempt ?? 0) + 1;
  return beginRequest(shard.db, { id, step: bankStepOf(type), attempt, state });
}

function isToBeRepeated({ state, reason }: BankRequest): boolean {
  return state === 'refused' && isWorthANewAttempt(reason ?? '');
}

function answerOf({ reference, state, reason }: BankRequest): BankAnswer {
  return { reference, state, ...(reason !== null && { reason }) };
}

async function accountOf(shard: Shard, sealer: Sealer, id: string): Promise<BankAccountDetails> {
  const details = await bankAccountDetails(shard.db, sealer, id);
  if (!details) throw ApplicationFailure.nonRetryable(`There is no bank account ${id}`);
  return details;
}

/** A call to the bank; what went wrong travels by its code, and says whether trying again can help. */
async function ask<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof BankError)) throw error;
    const { kind, code, message } = error;
    throw ApplicationFailure.create({ message, type: code, nonRetryable: kind === 'never' });
  }
}
