import { randomUUID } from 'node:crypto';
import { move, type NewLine } from './account';
import { inTransaction, type Pool, type Queryable } from './database';
import { factEvent, type Outbox, type Told } from './events';
import type { RunEnd } from './loop';
import { factOf, type RequestRow } from './requests';

const MOST_AT_ONCE = 500;
const IDLE_MS = 60_000;

type What = 'settlement' | 'second_settlement' | 'return';

interface Movement {
  line: NewLine;
  told: Told;
}

/** Moves the money that is due, everything at once in one transaction. */
export async function settleDue(pool: Pool, outbox: Outbox): Promise<RunEnd> {
  const taken = await inTransaction(pool, async (client) => {
    const due = await takeDue(client);
    const movements = [
      ...(await settle(client, due.settlement)),
      ...(await settleAgain(client, due.second_settlement)),
      ...(await giveBack(client, due.return)),
    ];
    await move(
      client,
      movements.map(({ line }) => line),
    );
    await outbox.add(
      client,
      movements.map(({ told }) => told),
    );
    return Object.values(due).reduce((sum, references) => sum + references.length, 0);
  });
  return { isBehind: taken === MOST_AT_ONCE, nextInMs: await nextDue(pool) };
}

async function nextDue(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ ms: number | null }>({
    name: 'next-due',
    text: `select extract(epoch from min(at) - clock_timestamp())::float8 * 1000 as ms from due_movements`,
  });
  const ms = rows[0]?.ms;
  return ms == null ? IDLE_MS : Math.max(0, Math.ceil(ms));
}

async function takeDue(db: Queryable): Promise<Record<What, string[]>> {
  const { rows } = await db.query<{ reference: string; what: What }>(
    `delete from due_movements where id = any (array(
       select id from due_movements where at <= clock_timestamp() order by at, id limit $1 for update skip locked
     )) returning reference, what`,
    [MOST_AT_ONCE],
  );
  const due: Record<What, string[]> = { settlement: [], second_settlement: [], return: [] };
  for (const { reference, what } of rows) due[what].push(reference);
  return due;
}

/** Only what is still accepted: a request that was voided meanwhile stays voided. */
async function settle(db: Queryable, references: string[]): Promise<Movement[]> {
  if (references.length === 0) return [];
  const { rows } = await db.query<RequestRow>(
    `update requests set state = 'settled', settlement_id = t.id,
       settled_amount = coalesce((plan ->> 'settledAmount')::bigint, amount)
     from unnest($1::text[], $2::text[]) as t (reference, id)
     where requests.reference = t.reference and state = 'accepted' returning requests.*`,
    [references, references.map(() => newId())],
  );
  await planNext(db, rows);
  return rows.map((row) => ({ line: lineOf(row, row.settlement_id!), told: factEvent(factOf(row), row.kind!) }));
}

async function planNext(db: Queryable, settled: RequestRow[]): Promise<void> {
  const next = settled.flatMap(({ reference, plan }) => [
    ...(plan.settlesTwice ? [{ reference, what: 'second_settlement' as const, afterMs: 0 }] : []),
    ...(plan.returned ? [{ reference, what: 'return' as const, afterMs: plan.returned.afterMs }] : []),
  ]);
  if (next.length === 0) return;
  await db.query(
    `insert into due_movements (reference, what, at)
     select reference, what, clock_timestamp() + after_ms * interval '1 ms'
     from unnest($1::text[], $2::text[], $3::integer[]) as t (reference, what, after_ms)`,
    [next.map(({ reference }) => reference), next.map(({ what }) => what), next.map(({ afterMs }) => afterMs)],
  );
}

/** The request itself goes on naming its first settlement: only the statement and a webhook tell of the second. */
async function settleAgain(db: Queryable, references: string[]): Promise<Movement[]> {
  if (references.length === 0) return [];
  const { rows } = await db.query<RequestRow>(`select * from requests where reference = any ($1)`, [references]);
  return rows.map((row) => {
    const settlementId = newId();
    const fact = { ...factOf({ ...row, state: 'settled', reason: null }), settlementId };
    return { line: lineOf(row, settlementId), told: factEvent(fact, row.kind!, true) };
  });
}

async function giveBack(db: Queryable, references: string[]): Promise<Movement[]> {
  if (references.length === 0) return [];
  const { rows } = await db.query<RequestRow>(
    `update requests set state = 'returned', return_id = t.id, reason = plan -> 'returned' ->> 'reason'
     from unnest($1::text[], $2::text[]) as t (reference, id)
     where requests.reference = t.reference and state = 'settled' returning requests.*`,
    [references, references.map(() => newId())],
  );
  return rows.map((row) => ({
    line: { ...lineOf(row, row.return_id!), kind: 'return', amount: row.settled_amount! },
    told: factEvent(factOf(row), row.kind!),
  }));
}

function lineOf(row: RequestRow, settlementId: string): NewLine {
  const { reference, kind, currency, settled_amount: amount } = row;
  return {
    settlementId,
    reference,
    kind: kind!,
    amount: kind === 'payout' ? -amount! : amount!,
    currency: currency!,
  };
}

const newId = () => `st_${randomUUID()}`;
