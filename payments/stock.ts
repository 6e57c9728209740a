import { sql, type Kysely } from 'kysely';
import type { TransactionId } from '../contracts/ids';
import { isFinal, type ResolvedAs } from '../contracts/statuses';
import type { BankFact } from '../bank/rail';
import type { TransactionFacts } from '../ledger/commands';
import type { Database } from '../ledger/schema';
import { parseFact } from './events';
import { latestRequest, recordFact, type BankRequest } from './requests';

export type Resolution = ResolvedAs;

/** A payment's row, as commands need it. */
export interface PaymentRow {
  facts: TransactionFacts;
  status: Database['transactions']['status'];
  reason: string | null;
  owner: string | null;
  askedAt: Date;
}

export async function readPayment(db: Kysely<Database>, id: TransactionId): Promise<PaymentRow | undefined> {
  const row = await db.selectFrom('transactions').selectAll().where('id', '=', id).executeTakeFirst();
  return (
    row && {
      facts: {
        id: row.id,
        type: row.type,
        actorId: row.actor_id,
        hash: row.command_hash,
        from: row.from_account,
        to: row.to_account ?? undefined,
        toNameSealed: row.to_name_sealed ?? undefined,
        amountMinor: row.amount,
        currency: row.currency,
        messageSealed: row.message_sealed ?? undefined,
        linkedTo: row.linked_to ?? undefined,
        bankAccountId: row.bank_account_id ?? undefined,
      },
      status: row.status,
      reason: row.reason,
      owner: row.owner_workflow,
      askedAt: row.created_at,
    }
  );
}

export interface Stock extends PaymentRow {
  request: BankRequest | undefined;
  resolution: Resolution | undefined;
  /** How often people have decided to cancel it. */
  cancels: number;
}

/** Everything known of a payment, after what the bank has told by itself was added to it. */
export async function readStock(db: Kysely<Database>, id: TransactionId): Promise<Stock | undefined> {
  const [payment, read, decisions] = await Promise.all([
    readPayment(db, id),
    latestRequest(db, id),
    db
      .selectFrom('decisions')
      .select(['kind', 'outcome'])
      .where('transaction_id', '=', id)
      .where('kind', 'in', ['resolve', 'cancel'])
      .where('state', '=', 'final')
      .orderBy('block')
      .execute(),
  ]);
  const resolution = decisions.findLast(({ kind }) => kind === 'resolve')?.outcome ?? undefined;
  const cancels = decisions.filter(({ kind }) => kind === 'cancel').length;
  // What two people said may be younger than the request just read: the bank's word before theirs counts.
  const request = resolution === undefined ? read : await latestRequest(db, id);
  return payment && { ...payment, request, resolution, cancels };
}

/** News that contradicts what is known: kept for people, in the inbox. */
export interface Absorbed {
  news: string[];
  odd: number;
}

/**
 * Adds to the payment what the bank has told by webhook. What contradicts the facts is never acted upon: it stays in the
 * inbox as needing attention.
 */
export async function absorbInbox(db: Kysely<Database>, id: TransactionId): Promise<Absorbed> {
  const absorbed: Absorbed = { news: [], odd: 0 };
  const rows = await db
    .selectFrom('bank_inbox')
    .select(['event_id', 'event'])
    .where('transaction_id', '=', id)
    .where('status', '=', 'new')
    .orderBy('received_at')
    .execute();
  const payment = rows.length > 0 ? await readPayment(db, id) : undefined;
  if (!payment) return absorbed;
  for (const row of rows) {
    const fact = parseFact(row.event);
    const verdict = await weigh(db, payment, fact);
    const isOdd = verdict !== 'change' && verdict !== 'known';
    if (isOdd) absorbed.odd += 1;
    if (verdict === 'change' || isOdd) {
      absorbed.news.push(
        `the bank told: ${fact.state}${fact.reason ? ` (${fact.reason})` : ''}${isOdd ? `, ${verdict}` : ''}`,
      );
    }
    await db
      .updateTable('bank_inbox')
      .set(isOdd ? { status: 'needs_attention', reason: verdict } : { status: 'done', done_at: sql`now()` })
      .where('event_id', '=', row.event_id)
      .where('status', '=', 'new')
      .execute();
  }
  return absorbed;
}

async function weigh(db: Kysely<Database>, payment: PaymentRow, fact: BankFact) {
  if (isChargeback(payment, fact)) return 'deposit_returned';
  const verdict = await recordFact(db, fact);
  return verdict === 'change' && contradictsEnd(payment, fact) ? 'contradicts_resolution' : verdict;
}

/** Taking back what a customer was credited is a person's to decide: it may be spent. */
function isChargeback({ facts, status }: PaymentRow, fact: BankFact): boolean {
  return facts.type === 'deposit' && status === 'completed' && fact.state === 'returned';
}

/** Pure. Whether people had said otherwise before the bank spoke: the books can't follow it by themselves any more. */
export function contradictsEnd({ facts, status }: Pick<PaymentRow, 'facts' | 'status'>, fact: BankFact): boolean {
  if (!isFinal(status)) return false;
  if (status !== 'completed') return fact.state === 'settled';
  if (fact.state === 'refused' || fact.state === 'voided') return true;
  const { amountMinor = facts.amountMinor, currency = facts.currency } = fact;
  return fact.state === 'settled' && (amountMinor !== facts.amountMinor || currency !== facts.currency);
}
