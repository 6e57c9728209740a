import { sql, type Kysely, type Selectable } from 'kysely';
import type { TransactionId } from '../contracts/ids';
import type { TransactionType } from '../contracts/statuses';
import type { BankFact } from '../bank/rail';
import type { Database } from '../ledger/schema';

export type BankRequest = Selectable<Database['bank_requests']>;
export type BankStep = 'collect' | 'payout';

/** What a payment asks of the bank: every kind has one step there. */
export function bankStepOf(type: TransactionType): BankStep {
  return type === 'deposit' ? 'collect' : 'payout';
}

export const bankReference = (id: TransactionId, step: BankStep, attempt: number) => `${id}:${step}:${attempt}`;

/** The transaction a reference belongs to, as far as its form says. */
export function transactionOfReference(reference: string): TransactionId | undefined {
  return /^(tx_\d+_[a-z2-7]{26}):(?:collect|payout):\d+$/.exec(reference)?.[1];
}

export function latestRequest(db: Kysely<Database>, id: TransactionId): Promise<BankRequest | undefined> {
  return db
    .selectFrom('bank_requests')
    .selectAll()
    .where('transaction_id', '=', id)
    .orderBy('attempt', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/**
 * Writes down that a reference is about to be sent, or voided, before it is: and only while the transaction is open and
 * approved, which the shared lock keeps so until this is written. Undefined when it isn't.
 */
export async function beginRequest(
  db: Kysely<Database>,
  request: { id: TransactionId; step: BankStep; attempt: number; state: 'sending' | 'voiding' },
): Promise<BankRequest | undefined> {
  const { id, step, attempt, state } = request;
  const reference = bankReference(id, step, attempt);
  const { rows } = await sql<BankRequest>`
    with payment as (
      select id from transactions where id = ${id} and status in ('pending', 'needs_attention') for share)
    insert into bank_requests (reference, transaction_id, step, attempt, state)
    select ${reference}, id, ${step}, ${attempt}::integer, ${state} from payment
    on conflict do nothing returning *`.execute(db);
  return rows[0] ?? findRequest(db, { reference });
}

/** What a fact makes of a request: a change, nothing new, or something that can't both be true. */
export type FactVerdict = 'change' | 'known' | FactOddity;
export type FactOddity =
  'double_settlement' | 'settled_after_refusal' | 'settled_after_void' | 'refused_after_settlement';

/** Pure. Facts come late, twice and in any order; what was learnt for certain is never unlearnt. */
export function weighFact(request: BankRequest, fact: BankFact): FactVerdict {
  const { state } = request;
  const isOpen = state === 'sending' || state === 'accepted' || state === 'voiding';
  switch (fact.state) {
    case 'unknown':
      return 'known';
    case 'accepted':
      return state === 'sending' ? 'change' : 'known';
    case 'settled':
      if (isOpen) return 'change';
      if (state === 'refused') return 'settled_after_refusal';
      if (state === 'voided') return 'settled_after_void';
      return differs(request.settlement_id, fact.settlementId) ? 'double_settlement' : 'known';
    case 'returned':
      return isOpen || state === 'settled' ? 'change' : 'known';
    case 'refused':
    case 'voided':
      if (isOpen) return 'change';
      return state === 'settled' ? 'refused_after_settlement' : 'known';
  }
}

/** Pure. A request with what a fact that changes it says; a return is another movement, with a number of its own. */
export function learn(request: BankRequest, fact: BankFact): BankRequest {
  return {
    ...request,
    state: fact.state as BankRequest['state'],
    reason: fact.reason ?? request.reason,
    amount: fact.amountMinor ?? request.amount,
    currency: fact.currency ?? request.currency,
    settlement_id: request.settlement_id ?? (fact.state === 'settled' ? (fact.settlementId ?? null) : null),
  };
}

const differs = (known: string | null, told: string | undefined) =>
  known !== null && told !== undefined && known !== told;

/**
 * Keeps what the bank said of a reference, whoever heard it; somebody else's news in between is weighed again. `known` is
 * the request as it was a moment ago.
 */
export async function recordFact(
  db: Kysely<Database>,
  fact: BankFact,
  known?: BankRequest,
): Promise<FactVerdict | 'unknown_reference'> {
  for (let request = known ?? (await findRequest(db, fact)); request; request = await findRequest(db, fact)) {
    const verdict = weighFact(request, fact);
    if (verdict !== 'change') return verdict;
    if (await change(db, request, fact)) return 'change';
  }
  return 'unknown_reference';
}

function findRequest(
  db: Kysely<Database>,
  { reference }: Pick<BankFact, 'reference'>,
): Promise<BankRequest | undefined> {
  return db.selectFrom('bank_requests').selectAll().where('reference', '=', reference).executeTakeFirst();
}

async function change(db: Kysely<Database>, request: BankRequest, fact: BankFact): Promise<boolean> {
  const { state, reason, amount, currency, settlement_id } = learn(request, fact);
  const { numUpdatedRows } = await db
    .updateTable('bank_requests')
    .set({ state, reason, amount, currency, settlement_id, updated_at: sql`now()` })
    .where('reference', '=', request.reference)
    .where('state', '=', request.state)
    .executeTakeFirstOrThrow();
  return numUpdatedRows === 1n;
}

/** From then on nothing sends it; whether it was sent before, the bank says. */
export async function markVoiding(db: Kysely<Database>, reference: string): Promise<void> {
  await db
    .updateTable('bank_requests')
    .set({ state: 'voiding', updated_at: sql`now()` })
    .where('reference', '=', reference)
    .where('state', 'in', ['sending', 'accepted'])
    .execute();
}

/** The bank has it and won't void it any more. */
export async function markPastVoiding(db: Kysely<Database>, reference: string): Promise<void> {
  await db
    .updateTable('bank_requests')
    .set({ state: 'accepted', updated_at: sql`now()` })
    .where('reference', '=', reference)
    .where('state', '=', 'voiding')
    .execute();
}
