import { setTimeout as sleep } from 'node:timers/promises';
import { sql, type Kysely } from 'kysely';
import type { BankEvent } from '../bank/rail';
import type { TransactionType } from '../contracts/statuses';
import type { Logger } from '../ledger/log';
import { pageOfShard, type PlacedPage } from '../ledger/places';
import type { Database } from '../ledger/schema';
import type { By } from '../ledger/by';
import { houseOf } from '../ledger/data-keys';
import { record } from '../ledger/record';
import { fieldOf, NoOwner, type Sealer } from '../ledger/seal';
import { reachable, type Shard, type Shards } from '../ledger/shards';
import { webhooks } from '../metrics/instruments';
import type { Owners } from '../worker/owners';
import { parseFact, writeEvent } from './events';
import { transactionOfReference, weighFact } from './requests';
import { shardOfVirtualAccount } from './virtual-accounts';

/** What of a stored event says whom it concerns. */
export interface InboxEvent {
  event_id: string;
  kind: 'fact' | 'credit';
  subject: string;
  transaction_id: string | null;
}

export interface InboxDeps {
  shards: Shards;
  sealer: Sealer;
  owners: Pick<Owners, 'news' | 'credit'>;
  log: Logger;
}

const CONCERNS = ['event_id', 'kind', 'subject', 'transaction_id'] as const;
/** What the bank can have news of. */
const BANK_TYPES: readonly TransactionType[] = ['deposit', 'withdrawal'];
/** How many workflows are told at once, so that a large delivery doesn't crowd out customers. */
const TOLD_AT_ONCE = 10;
/** How long the answer to a request may take from the bank until it is written down. */
const ANSWER_WITHIN_MS = 500;

export interface Received {
  shard: number;
  /** What was not stored before. */
  fresh: InboxEvent[];
  /** Why nothing of this shard could be stored: the bank has to deliver again. */
  error?: unknown;
}

/**
 * Keeps everything that the bank told, before the bank is answered: an event is stored once however often it is
 * delivered. A shard that is down keeps no other from its own.
 */
export async function receive(
  { shards, sealer }: Pick<InboxDeps, 'shards' | 'sealer'>,
  events: readonly BankEvent[],
): Promise<Received[]> {
  const byShard = new Map<number, BankEvent[]>();
  for (const event of events) {
    const shard = shardOf(shards, event);
    byShard.set(shard, [...(byShard.get(shard) ?? []), event]);
  }
  return Promise.all(
    [...byShard].map(([shard, some]) =>
      store(shards.shard(shard), some, sealer).then(
        (fresh) => {
          webhooks.inc({ outcome: 'stored' }, fresh.length);
          webhooks.inc({ outcome: 'known' }, some.length - fresh.length);
          return { shard, fresh };
        },
        (error: unknown) => ({ shard, fresh: [], error }),
      ),
    ),
  );
}

/** Stored events that nobody has acted on for so long, oldest first. */
export function waitingEvents(
  db: Kysely<Database>,
  { olderThanMs, limit }: { olderThanMs: number; limit: number },
): Promise<InboxEvent[]> {
  return db
    .selectFrom('bank_inbox')
    .select(CONCERNS)
    .where('status', '=', 'new')
    .where('received_at', '<', new Date(Date.now() - olderThanMs))
    .orderBy('received_at')
    .limit(limit)
    .execute();
}

/**
 * Wakes whoever a shard's stored events concern; doing it again is safe. They mark the events done as they act on them.
 * An event that concerns nothing we know of is for a person.
 */
export async function handleInboxEvents(deps: InboxDeps, shard: number, events: readonly InboxEvent[]): Promise<void> {
  const { db } = deps.shards.shard(shard);
  const { early, others } = await putAwayKnown(db, events);
  await wake(deps, shard, others);
  if (early.length === 0) return;
  await sleep(ANSWER_WITHIN_MS);
  const late = await putAwayKnown(db, early);
  await wake(deps, shard, [...late.early, ...late.others]);
}

async function wake(deps: InboxDeps, shard: number, events: readonly InboxEvent[]): Promise<void> {
  const { db } = deps.shards.shard(shard);
  const facts = events.filter((event) => event.kind === 'fact');
  const payments = await paymentsOf(db, facts);
  const ours = new Set(payments.map(({ id }) => id));
  const unknown = facts.filter((event) => event.transaction_id === null || !ours.has(event.transaction_id));
  if (unknown.length > 0) await askForAttention(db, unknown, 'unknown_reference');
  const credits = events.filter((event) => event.kind === 'credit');
  await someAtOnce([
    ...payments.map((payment) => () => deps.owners.news(payment)),
    ...credits.map((event) => () => deps.owners.credit(shard, event.event_id, event.subject)),
  ]);
}

/**
 * Ends what says nothing new: the bank answered so before, or has told it. Waking a workflow that has ended would cost
 * another run of it for nothing. `early`: the bank is being asked just now, and its answer will say the same.
 */
async function putAwayKnown(
  db: Kysely<Database>,
  events: readonly InboxEvent[],
): Promise<{ early: InboxEvent[]; others: InboxEvent[] }> {
  const ids = events.flatMap((event) => (event.kind === 'fact' ? event.event_id : []));
  if (ids.length === 0) return { early: [], others: [...events] };
  const rows = await db
    .selectFrom('bank_inbox')
    .innerJoin('bank_requests', 'bank_requests.reference', 'bank_inbox.subject')
    .where('bank_inbox.event_id', 'in', ids)
    .where('bank_inbox.status', '=', 'new')
    .select(['bank_inbox.event_id', 'bank_inbox.event'])
    .selectAll('bank_requests')
    .execute();
  const known = rows.flatMap((row) => (weighFact(row, parseFact(row.event)) === 'known' ? row.event_id : []));
  if (known.length > 0) {
    await db
      .updateTable('bank_inbox')
      .set({ status: 'done', done_at: sql`now()` })
      .where('event_id', 'in', known)
      .where('status', '=', 'new')
      .execute();
  }
  const asked = new Set(rows.flatMap(({ state, event_id }) => (state === 'sending' ? event_id : [])));
  const left = events.filter((event) => !known.includes(event.event_id));
  return {
    early: left.filter((event) => asked.has(event.event_id)),
    others: left.filter((event) => !asked.has(event.event_id)),
  };
}

export interface InboxRow extends InboxEvent {
  event: string;
  reason: string | null;
  received_at: Date;
}

/** A shard's events that only a person can say something about. */
export async function inboxInAttention(db: Kysely<Database>, shard: number, page: PlacedPage): Promise<InboxRow[]> {
  const receivedAt = sql`date_trunc('milliseconds', received_at)`;
  const { where, order } = pageOfShard(shard, receivedAt, sql`event_id`, page);
  const { rows } = await sql<InboxRow>`
    select event_id, kind, subject, transaction_id, event, reason, received_at from bank_inbox
    where status = 'needs_attention' and ${where} ${order}`.execute(db);
  return rows;
}

const PUT_AWAY = `
  update bank_inbox set status = 'done', done_at = now(), done_by = $2, note_sealed = $3
  where event_id = $1 and status = 'needs_attention' returning event_id`;

/** A person has seen to it. False where it isn't waiting for one. */
export function putAway(shard: Shard, { eventId, noteSealed }: { eventId: string; noteSealed: string }, by: By) {
  return record(shard, {
    // The bank chose the id: nothing of ours may be called the same.
    subjectId: `inbox:${eventId}`,
    event: 'inbox_resolved',
    change: { name: 'put-away', text: PUT_AWAY, values: [eventId, by.actorId, noteSealed] },
    ...by,
  });
}

/** A fact belongs to its transaction's shard, a credit to its virtual account's; what names none of ours to the first. */
function shardOf(shards: Shards, event: BankEvent): number {
  if (event.kind === 'fact') {
    const id = transactionOfReference(event.fact.reference);
    return (id === undefined ? undefined : shards.forId(id)?.number) ?? 0;
  }
  const shard = shardOfVirtualAccount(event.credit.virtualAccount);
  return shard !== undefined && shard < shards.count ? shard : 0;
}

async function store(shard: Shard, events: readonly BankEvent[], sealer: Sealer): Promise<InboxEvent[]> {
  const { db } = await reachable(shard);
  const owners = await ownersOf(db, events);
  const seal = (event: BankEvent) => (payer: string) => {
    const owner = event.kind === 'credit' ? owners.get(event.credit.virtualAccount) : undefined;
    const forHouse = () => sealer.seal(houseOf(shard.number), fieldOf.payer(event.id), payer);
    if (owner === undefined) return forHouse();
    return sealer.seal(owner, fieldOf.payer(event.id), payer).catch((error: unknown) => {
      // Erased since they were looked up: the bank is refused nothing because of that.
      if (error instanceof NoOwner) return forHouse();
      throw error;
    });
  };
  const rows = await Promise.all(
    events.map(async (event) => ({
      event_id: event.id,
      kind: event.kind,
      subject: event.kind === 'fact' ? event.fact.reference : event.credit.creditId,
      transaction_id: event.kind === 'fact' ? (transactionOfReference(event.fact.reference) ?? null) : null,
      event: await writeEvent(event, seal(event)),
    })),
  );
  return db
    .insertInto('bank_inbox')
    .values(rows)
    .onConflict((conflict) => conflict.column('event_id').doNothing())
    .returning(CONCERNS)
    .execute();
}

/** Whose wallets the virtual accounts of credits are: what is told of their money is theirs, until they are erased. */
async function ownersOf(db: Kysely<Database>, events: readonly BankEvent[]): Promise<Map<string, string>> {
  const numbers = events.flatMap((event) => (event.kind === 'credit' ? event.credit.virtualAccount : []));
  if (numbers.length === 0) return new Map();
  const rows = await db
    .selectFrom('virtual_accounts')
    .innerJoin('accounts', 'accounts.id', 'virtual_accounts.account_id')
    .innerJoin('users', 'users.id', 'accounts.owner_id')
    .where('virtual_accounts.number', 'in', numbers)
    .where('users.status', '<>', 'erased')
    .select(['virtual_accounts.number', 'users.id as owner'])
    .execute();
  return new Map(rows.map(({ number, owner }) => [number, owner]));
}

async function paymentsOf(db: Kysely<Database>, facts: readonly InboxEvent[]) {
  const ids = [...new Set(facts.flatMap((event) => event.transaction_id ?? []))];
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom('transactions')
    .select(['id', 'type', 'status', 'currency', 'amount'])
    .where('id', 'in', ids)
    .where('type', 'in', BANK_TYPES)
    .execute();
  return rows.map(({ amount, ...row }) => ({ ...row, amountMinor: amount.toString() }));
}

async function askForAttention(db: Kysely<Database>, events: readonly InboxEvent[], reason: string): Promise<void> {
  const ids = events.map((event) => event.event_id);
  await db
    .updateTable('bank_inbox')
    .set({ status: 'needs_attention', reason })
    .where('event_id', 'in', ids)
    .where('status', '=', 'new')
    .execute();
}

async function someAtOnce(calls: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (let from = 0; from < calls.length; from += TOLD_AT_ONCE) {
    await Promise.all(calls.slice(from, from + TOLD_AT_ONCE).map((call) => call()));
  }
}
