import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { AccountId } from '../contracts/ids';
import type { LimitKind, LimitPeriod } from '../contracts/limits';
import type { RowChange } from './commands';
import type { Database } from './schema';
import { firstBlockAt } from './spans';

/** What a wallet has moved of one kind in the day and the month of the chain's last block. */
export type Used = Record<LimitPeriod, bigint>;

export interface WrongUse {
  accountId: AccountId;
  kind: LimitKind;
  is: Used;
  shouldBe: Used;
}

/** The day and the month that are now, as far as the chain goes: when they began, and with which blocks. */
const NOW = sql`
  select at, day_at, month_at, ${firstBlockAt(sql`head.day_at`)} as day, ${firstBlockAt(sql`head.month_at`)} as month
  from (select at, date_trunc('day', at, 'UTC') as day_at, date_trunc('month', at, 'UTC') as month_at
    from chain_head) head`;

/**
 * What has moved out of account `a` and may have been counted this month, what is held of it, and what was asked for into
 * it, each with the block that counted it. Money that was held counts from its hold: what is held longer than a month is
 * met by its entry or its hold, and its block leaves it out.
 */
const COUNTED = sql`
  select t.amount, coalesce(h.block, t.final_block) as block
  from entries e join transactions t on t.id = e.transaction_id left join holds h on h.transaction_id = t.id
  where limited.kind <> 'deposit' and e.account_id = a.id and e.at >= now.month_at and e.amount < 0 and t.type = limited.kind
  union all
  select t.amount, h.block from holds h join transactions t on t.id = h.transaction_id
  where limited.kind <> 'deposit' and h.account_id = a.id and h.status = 'held' and t.type = limited.kind
  union all
  select amount, created_block from transactions
  where limited.kind = 'deposit' and to_account = a.id and created_block >= now.month and type = 'deposit'
    and bank_account_id is not null and status = 'completed'
  union all
  select amount, created_block from transactions
  where limited.kind = 'deposit' and to_account = a.id and created_block >= now.month and type = 'deposit'
    and bank_account_id is not null and status in ('pending', 'awaiting_approval', 'needs_attention')`;

/** Whatever of these accounts' limits is not used as their transactions and holds say. */
function wrongUses(which: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    with now as materialized (${NOW})
    select a.id, limited.kind, used, now.at, is_day, is_month, should.day, should.month
    from now, accounts a, jsonb_each(a.limits_used) as limited (kind, used),
      lateral (
        select case when counted_at >= day_at then (used ->> 'day')::numeric else 0 end as is_day,
          case when counted_at >= month_at then (used ->> 'month')::numeric else 0 end as is_month
        from (select (used ->> 'at')::timestamptz as counted_at) as last) as stored,
      lateral (
        select coalesce(sum(amount) filter (where block >= now.day), 0) as day, coalesce(sum(amount), 0) as month
        from (${COUNTED}) as counted where block >= greatest(now.month, (used ->> 'since')::bigint)) as should
    where ${which} and (is_day, is_month) <> (should.day, should.month)`;
}

interface Row {
  id: AccountId;
  kind: LimitKind;
  isDay: string;
  isMonth: string;
  day: string;
  month: string;
}

/** Of the accounts after one, up to another. */
export async function findWrongUses(
  db: Kysely<Database>,
  { after, upTo }: { after: AccountId; upTo: AccountId },
): Promise<WrongUse[]> {
  const { rows } = await sql<Row>`
    select id, kind, is_day::text as "isDay", is_month::text as "isMonth", day::text, month::text
    from (${wrongUses(sql`a.id > ${after} and a.id <= ${upTo}`)}) as wrong order by id, kind`.execute(db);
  return rows.map(({ id: accountId, kind, ...sums }) => ({
    accountId,
    kind,
    is: { day: BigInt(sums.isDay), month: BigInt(sums.isMonth) },
    shouldBe: { day: BigInt(sums.day), month: BigInt(sums.month) },
  }));
}

/** Computes the sums anew as it writes them, which the poster has it do under the chain's lock. */
export function useRepaired(db: Kysely<Database>, { accountId, kind }: WrongUse): RowChange {
  const { sql: text, parameters } = sql`
    update accounts set version = version + 1, limits_used = limits_used || jsonb_build_object(wrong.kind,
      wrong.used || jsonb_build_object('at', wrong.at, 'day', wrong.day::text, 'month', wrong.month::text))
    from (${wrongUses(sql`a.id = ${accountId} and limited.kind = ${kind}`)}) as wrong
    where accounts.id = wrong.id returning accounts.id`.compile(db);
  return { name: 'repair-limits-used', text, values: [...parameters] };
}
