import { sql, type Kysely } from 'kysely';
import { LIMIT_PERIODS } from '../contracts/limits';
import type { Database } from './schema';
import { findWrongUses } from './used';
import type { Found } from './verify';

/**
 * What the wallets after one, up to another, may still move is what their transactions leave of limits that the chain
 * tells of.
 */
export async function checkLimits(
  books: Kysely<Database>,
  { after, upTo }: { after: string; upTo: string },
  found: Found,
): Promise<void> {
  for (const { accountId, kind, is, shouldBe } of await findWrongUses(books, { after, upTo })) {
    for (const period of LIMIT_PERIODS.filter((each) => is[each] !== shouldBe[each])) {
      found('limits_used', accountId, `has ${is[period]} ${kind} counted this ${period}, not ${shouldBe[period]}`);
    }
  }
  const { rows } = await sql<{ id: string }>`
    select a.id from accounts a, lateral (
      select jsonb_object_agg(told ->> 'kind', told -> 'limits') filter (where told -> 'limits' <> 'null') as limits
      from (
        select distinct on (detail::jsonb ->> 'kind') detail::jsonb as told from events
        where subject_id = a.id and kind = 'limits_changed'
        order by detail::jsonb ->> 'kind', at desc, block desc, index desc) last) given
    where a.id > ${after} and a.id <= ${upTo} and a.limits is distinct from given.limits order by a.id`.execute(books);
  for (const { id } of rows) found('limits', id, 'has other limits than its last events say');
}
