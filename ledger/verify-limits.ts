import { sql, type Kysely } from 'kysely';
import { LIMIT_PERIODS } from '../contracts/limits';
import type { Database } from './schema';
import type { Finding } from './verify';

const AT_ONCE = 100;

/** What is held or has moved out of the wallet, and what was asked for into it, each in the block that counted it. */
const COUNTED = sql`
  select t.amount, coalesce(b.at, t.completed_at) as at, coalesce(h.block, t.final_block) as block
  from transactions t left join holds h on h.transaction_id = t.id left join blocks b on b.number = h.block
  where t.from_account = a.id and t.type = kind and not t.incoming
    and case when h.status is null then t.status = 'completed' else h.status <> 'released' end
  union all
  select amount, created_at, created_block from transactions
  where kind = 'deposit' and to_account = a.id and type = 'deposit' and bank_account_id is not null
    and status = 'completed'
  union all
  select amount, created_at, created_block from transactions
  where kind = 'deposit' and to_account = a.id and type = 'deposit' and bank_account_id is not null
    and status in ('pending', 'awaiting_approval', 'needs_attention')`;

interface Row {
  id: string;
  kind: string;
  day: string;
  month: string;
  counted_day: string;
  counted_month: string;
}

/** What a wallet may still move is what its transactions leave of limits that the chain tells of. */
export async function checkLimits(books: Kysely<Database>, found: (finding: Finding) => void): Promise<void> {
  for await (const { id, kind, ...sums } of countedRows(books)) {
    for (const period of LIMIT_PERIODS) {
      const [is, should] = [sums[period], sums[`counted_${period}`]];
      if (is !== should) {
        found({ kind: 'limits_used', subject: id, detail: `has ${is} ${kind} counted this ${period}, not ${should}` });
      }
    }
  }
  const { rows } = await sql<{ id: string }>`
    with last as (
      select distinct on (subject_id, detail::jsonb ->> 'kind') subject_id, detail::jsonb as told from events
      where detail like '{"by":%' and kind = 'limits_changed'
      order by subject_id, detail::jsonb ->> 'kind', at desc, block desc, index desc),
    given as (
      select subject_id as id, jsonb_object_agg(told ->> 'kind', told -> 'limits') as limits from last
      where told -> 'limits' <> 'null' group by subject_id),
    had as (select id, limits from accounts where limits is not null)
    select id from had full join given using (id) where had.limits is distinct from given.limits`.execute(books);
  for (const { id } of rows)
    found({ kind: 'limits', subject: id, detail: 'has other limits than its last events say' });
}

async function* countedRows(books: Kysely<Database>): AsyncGenerator<Row> {
  for (let after = ''; ;) {
    const { rows } = await sql<Row>`
      with counting as (select id, limits_used from accounts where limits_used is not null and id > ${after}
        order by id limit ${AT_ONCE})
      select a.id, kind, used ->> 'day' as day, used ->> 'month' as month, sums.*
      from counting a, jsonb_each(a.limits_used) as of_kind (kind, used), lateral (
        select
          coalesce(sum(amount) filter (where date_trunc('day', at, 'UTC') = date_trunc('day', last, 'UTC')), 0)::text
            as counted_day,
          coalesce(sum(amount) filter (where date_trunc('month', at, 'UTC') = date_trunc('month', last, 'UTC')), 0)::text
            as counted_month
        from (${COUNTED}) as counted, (select (used ->> 'at')::timestamptz) as latest (last)
        where block >= (used ->> 'since')::bigint) as sums
      order by a.id`.execute(books);
    yield* rows;
    const last = rows.at(-1);
    if (!last) return;
    after = last.id;
  }
}
