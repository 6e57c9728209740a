import { ApplicationFailure } from '@temporalio/common';
import { isWorthANewAttempt } from '../bank/errors';
import { systemAccountId } from '../contracts/ids';
import { BANK_ACTOR, ownerWorkflowId, type Situation } from '../contracts/payments';
import { isFinal } from '../contracts/statuses';
import type { Command, TransactionOutcome } from '../ledger/commands';
import { derivedTransactionId } from '../ledger/identity';
import { assess, type Verdict } from '../payments/assess';
import { absorbInbox, readPayment, readStock, type PaymentRow, type Stock } from '../payments/stock';
import type { ActivityDeps } from './deps';
import { shardOf } from './shard-of';

/** The one hold of a withdrawal, and what ends it. */
const HOLD = { holdStep: 'hold' } as const;

/** The ledger's side of deposits, withdrawals and adjustments. Every one reads the facts first, so each is safe to run again. */
export function paymentActivities({ shards }: ActivityDeps) {
  async function paymentOf(id: string): Promise<PaymentRow> {
    const { db } = await shardOf(shards, id);
    const payment = await readPayment(db, id);
    if (!payment) throw noSuchPayment(id);
    return payment;
  }

  async function post(id: string, command: Command): Promise<TransactionOutcome | undefined> {
    const { poster } = await shardOf(shards, id);
    const [outcome] = await poster.post([command]);
    if (outcome!.kind === 'transaction') return outcome;
    if (outcome!.kind === 'trouble')
      throw ApplicationFailure.retryable((outcome as { error: string }).error, 'Trouble');
    return undefined;
  }

  return {
    /** Books everything that the facts allow, and says how the payment then stands. */
    async takeStock(id: string): Promise<Situation> {
      const { db } = await shardOf(shards, id);
      const { news, odd } = await absorbInbox(db, id);
      const stock = await readStock(db, id);
      if (!stock) throw noSuchPayment(id);
      const verdict = assess({ ...stock, payment: { ...stock.facts, status: stock.status }, isWorthANewAttempt });
      const command = commandOf(stock, verdict);
      const booked = command && (await post(id, command));
      const status = booked?.status ?? stock.status;
      if (isFinal(status) && (await reverseIfReturned(stock, status === 'completed')))
        news.push('the bank returned it; what it moved was given back');
      const reason = booked ? (booked.reason ?? undefined) : reasonOf(stock, verdict);
      return {
        status,
        ...(reason !== undefined && { reason }),
        next: isFinal(status) ? 'nothing' : nextOf(verdict),
        askedAt: stock.askedAt.getTime(),
        news: odd > 0 ? [...news, 'what contradicts the facts waits for ops in the inbox'] : news,
        ...(stock.cancels > 0 && { cancels: stock.cancels }),
      };
    },

    /** Ends what still waits for approval, and nothing else. */
    async endApproval(id: string, reason: string): Promise<void> {
      const { facts } = await paymentOf(id);
      const end = { facts, reason, onlyWhile: 'awaiting_approval' } as const;
      if (facts.type !== 'withdrawal') await post(id, { kind: 'cancel', ...end });
      else await post(id, { kind: 'release', ...end, step: 'release', ...HOLD, status: 'cancelled' });
    },

    async askForAttention(id: string, reason: string, lastError: string): Promise<void> {
      const { facts } = await paymentOf(id);
      await post(id, { kind: 'attention', facts, owner: ownerWorkflowId(facts.type, id), reason, lastError });
    },

    /** What needed attention goes on by itself. */
    async resumePayment(id: string): Promise<void> {
      const { facts } = await paymentOf(id);
      await post(id, { kind: 'resume', facts });
    },
  };

  /**
   * A payout that came back is undone by a transaction of its own, once. Where its customer had not paid for it, since
   * people had resolved it so, what the bank had moved came out of `@suspense` and goes back there.
   */
  async function reverseIfReturned({ facts, request }: Stock, isPaid: boolean): Promise<boolean> {
    if (facts.type !== 'withdrawal' || request?.state !== 'returned') return false;
    if (!isPaid && !(await hasMoved(facts.id))) return false;
    const shard = await shardOf(shards, facts.id);
    const id = derivedTransactionId(shard.number, 'reversal', facts.id);
    const returnedMinor = request.amount ?? facts.amountMinor;
    const outcome = await post(facts.id, {
      kind: 'credit',
      facts: {
        id,
        type: 'reversal',
        actorId: isPaid ? facts.actorId : BANK_ACTOR,
        hash: id,
        from: systemAccountId(shard.number, '@bank', facts.currency),
        ...(isPaid && { to: facts.from }),
        amountMinor: isPaid ? facts.amountMinor : returnedMinor,
        currency: facts.currency,
        linkedTo: facts.id,
      },
      ...(isPaid && returnedMinor !== facts.amountMinor && { movedMinor: returnedMinor }),
    });
    return outcome?.replayed === false;
  }

  async function hasMoved(id: string): Promise<boolean> {
    const { db } = await shardOf(shards, id);
    const entry = await db
      .selectFrom('transactions as t')
      .innerJoin('entries as e', (join) =>
        join
          .onRef('e.transaction_id', '=', 't.id')
          .onRef('e.at', '=', 't.completed_at')
          .onRef('e.block', '=', 't.final_block'),
      )
      .select('e.block')
      .where('t.id', '=', id)
      .executeTakeFirst();
    return entry !== undefined;
  }
}

function noSuchPayment(id: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`There is no transaction ${id}`);
}

/** What a verdict books, if anything. */
function commandOf({ facts }: Stock, verdict: Verdict): Command | undefined {
  const moved = 'movedMinor' in verdict && verdict.movedMinor !== undefined && { movedMinor: verdict.movedMinor };
  if (verdict.next === 'complete') {
    if (facts.type === 'deposit') return { kind: 'credit', facts, ...moved };
    if (facts.type === 'adjustment') return { kind: 'transfer', facts };
    return { kind: 'capture', facts, step: 'capture', ...HOLD, to: facts.to!, ...moved };
  }
  if (verdict.next === 'undo') {
    const { status, reason } = verdict;
    if (facts.type !== 'withdrawal') return { kind: 'cancel', facts, status, reason, ...moved };
    return { kind: 'release', facts, step: 'release', ...HOLD, status, reason, ...moved };
  }
  return undefined;
}

function nextOf(verdict: Verdict): Situation['next'] {
  // What the books would not take is a person's to look at.
  return verdict.next === 'complete' || verdict.next === 'undo' ? 'attention' : verdict.next;
}

function reasonOf(stock: Stock, verdict: Verdict): string | undefined {
  if (verdict.next === 'attention') return verdict.reason;
  if (verdict.next === 'complete' || verdict.next === 'undo') return 'books_refused';
  return stock.reason ?? undefined;
}
