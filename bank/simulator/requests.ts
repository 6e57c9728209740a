import type { BankFact, BankOrder, BankState } from '../rail';
import type { Queryable } from './database';
import type { RequestKind } from './faults';
import type { Plan } from './plan';

export interface RequestRow {
  reference: string;
  seq: bigint;
  kind: RequestKind | null;
  amount: bigint | null;
  currency: string | null;
  holder: string | null;
  number: string | null;
  bank_code: string | null;
  state: 'travelling' | Exclude<BankState, 'unknown'>;
  reason: string | null;
  plan: Plan;
  settlement_id: string | null;
  settled_amount: bigint | null;
  return_id: string | null;
  hidden_looks: number;
  is_hidden: boolean;
  received_at: Date;
}

const COLUMNS = `*, hidden_looks > 0 or coalesce(hidden_until > clock_timestamp(), false) as is_hidden`;

/** Takes a new request on, with its settlement to come; undefined when its reference was there before. */
export async function insertRequest(
  db: Queryable,
  kind: RequestKind,
  order: BankOrder,
  plan: Plan,
  settleAfterMs: number,
): Promise<RequestRow | undefined> {
  const { account, reference } = order;
  const state = plan.refused !== undefined ? 'refused' : plan.late ? 'travelling' : 'accepted';
  const { rows } = await db.query<RequestRow>({
    name: 'insert-request',
    text: `with new as (
       insert into requests (reference, kind, amount, currency, holder, number, bank_code, state, reason, plan,
         hidden_looks, hidden_until)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
         case when $12::integer > 0 then clock_timestamp() + $12::integer * interval '1 ms' end)
       on conflict (reference) do nothing returning ${COLUMNS}
     ), due as (
       insert into due_movements (reference, what, at)
       select reference, 'settlement', clock_timestamp() + $13::integer * interval '1 ms' from new where $14
     )
     select * from new`,
    values: [
      ...[reference, kind, order.amountMinor, order.currency, account.holder, account.number, account.bankCode],
      ...[state, plan.refused ?? null, JSON.stringify(plan), plan.hidden?.looks ?? 0, plan.hidden?.forMs ?? 0],
      ...[settleAfterMs, state === 'accepted' && !plan.neverSettles],
    ],
  });
  return rows[0];
}

/** A request that was lost on the way gets here after all. Says whether it was this call that let it in. */
export async function arrive(db: Queryable, reference: string, settleAfterMs: number): Promise<boolean> {
  const { rows } = await db.query(
    `with arrived as (
       update requests set state = 'accepted' where reference = $1 and state = 'travelling' returning reference, plan
     ), due as (
       insert into due_movements (reference, what, at)
       select reference, 'settlement', clock_timestamp() + $2::integer * interval '1 ms'
       from arrived where not plan ? 'neverSettles'
     )
     select from arrived`,
    [reference, settleAfterMs],
  );
  return rows.length > 0;
}

export async function findRequest(db: Queryable, reference: string): Promise<RequestRow | undefined> {
  const { rows } = await db.query<RequestRow>({
    name: 'find-request',
    text: `select ${COLUMNS} from requests where reference = $1`,
    values: [reference],
  });
  return rows[0];
}

/** A look that a lagging look-up has not answered yet. */
export async function countLook(db: Queryable, reference: string): Promise<void> {
  await db.query(`update requests set hidden_looks = hidden_looks - 1 where reference = $1 and hidden_looks > 0`, [
    reference,
  ]);
}

/** Forbids a reference for ever, unless money has moved or it was refused: then nothing changes. */
export async function voidRequest(db: Queryable, reference: string): Promise<void> {
  await db.query(
    `insert into requests (reference, state) values ($1, 'voided')
     on conflict (reference) do update set state = 'voided' where requests.state in ('travelling', 'accepted')`,
    [reference],
  );
}

export async function listRequests(db: Queryable, after: bigint, limit: number): Promise<RequestRow[]> {
  const text = `select ${COLUMNS} from requests where seq > $1 order by seq limit $2`;
  return (await db.query<RequestRow>(text, [after, limit])).rows;
}

export async function latestRequests(db: Queryable, limit: number): Promise<RequestRow[]> {
  return (await db.query<RequestRow>(`select ${COLUMNS} from requests order by seq desc limit $1`, [limit])).rows;
}

export function isSameOrder(row: RequestRow, kind: RequestKind, order: BankOrder): boolean {
  if (row.kind === null) return true; // voided before it came: nobody knows what it was to be
  return (
    row.kind === kind &&
    row.amount === order.amountMinor &&
    row.currency === order.currency &&
    row.holder === order.account.holder &&
    row.number === order.account.number &&
    row.bank_code === order.account.bankCode
  );
}

/** What the bank says of a request it knows. */
export function factOf(row: RequestRow): BankFact {
  const { reference, state } = row;
  const reason = row.reason === null ? {} : { reason: row.reason };
  switch (state) {
    case 'travelling':
      return { reference, state: 'unknown' };
    case 'accepted':
    case 'voided':
      return { reference, state };
    case 'refused':
      return { reference, state, ...reason };
    case 'settled':
      return { reference, state, ...movement(row, row.settlement_id!) };
    case 'returned':
      return { reference, state, ...movement(row, row.return_id!), ...reason };
  }
}

const movement = (row: RequestRow, settlementId: string) => ({
  amountMinor: row.settled_amount!,
  currency: row.currency!,
  settlementId,
});
