import { sql, type Kysely } from 'kysely';
import type { AccountId } from '../contracts/ids';
import type { By } from './by';
import { record } from './record';
import type { Database } from './schema';
import type { Shard } from './shards';
import { balanceIn, timeOf } from './snapshots';
import { findWrongUses, useRepaired, type Used, type WrongUse } from './used';

export interface Standing {
  balance: bigint;
  held: bigint;
}

/** An account whose row is not what its entries and holds say. */
export interface WrongStanding {
  accountId: AccountId;
  is: Standing;
  shouldBe: Standing;
}

/** The same of what it has used of its limits. */
export type Difference = WrongStanding | WrongUse;

const ACCOUNTS_AT_ONCE = 500;

/**
 * What accounts should hold: what they had in a snapshot, which is nothing at block 0, and all their entries since; and
 * the holds of transactions that are open.
 */
function rebuiltSince(snapshot: bigint): string {
  return `
  select
    (coalesce((${balanceIn(snapshot, 'a.id')}), 0) + (select coalesce(sum(amount), 0) from entries
      where account_id = a.id and block > ${snapshot} and at >= ${timeOf(snapshot)}))::bigint as balance,
    (select coalesce(sum(h.amount), 0)::bigint from holds h join transactions t on t.id = h.transaction_id
      where h.account_id = a.id and h.status = 'held' and t.completed_at is null) as held`;
}

/** The poster runs it under the chain's lock, so nothing is posted between the sums and the row. */
const repairSince = (snapshot: bigint) => `
  update accounts set balance = rebuilt.balance, held = rebuilt.held, version = version + 1
  from (select a.id, sums.* from accounts a, lateral (${rebuiltSince(snapshot)}) sums where a.id = $1) rebuilt
  where accounts.id = rebuilt.id and (accounts.balance, accounts.held) <> (rebuilt.balance, rebuilt.held)
  returning accounts.id`;

interface Row {
  id: AccountId;
  balance: bigint;
  held: bigint;
  balanceRebuilt: bigint;
  heldRebuilt: bigint;
}

/** Computes every account anew beside its row, some at a time, in statements that see one moment: posting may go on. */
export async function* rebuild(
  db: Kysely<Database>,
  snapshot = 0n,
): AsyncGenerator<{ accounts: number; differences: Difference[] }> {
  const sums = sql.raw(rebuiltSince(snapshot));
  for (let after = ''; ;) {
    const { rows } = await sql<Row>`
      select a.id, a.balance, a.held, sums.balance as "balanceRebuilt", sums.held as "heldRebuilt"
      from accounts a, lateral (${sums}) sums
      where a.id > ${after} order by a.id limit ${ACCOUNTS_AT_ONCE}`.execute(db);
    const upTo = rows.at(-1)?.id;
    if (upTo === undefined) return;
    const wrongUses = await findWrongUses(db, { after, upTo });
    yield { accounts: rows.length, differences: [...rows.flatMap(wrongStandingOf), ...wrongUses] };
    after = upTo;
  }
}

function wrongStandingOf({ id, balance, held, balanceRebuilt, heldRebuilt }: Row): WrongStanding[] {
  if (balance === balanceRebuilt && held === heldRebuilt) return [];
  return [{ accountId: id, is: { balance, held }, shouldBe: { balance: balanceRebuilt, held: heldRebuilt } }];
}

/** Sets the row right, and tells of it in the chain. False when it is right by now. */
export function repair(
  shard: Shard,
  difference: Difference,
  { by, snapshot = 0n }: { by: By; snapshot?: bigint },
): Promise<boolean> {
  const { accountId, is, shouldBe } = difference;
  const told = { was: inWords(is), is: inWords(shouldBe) };
  const repaired =
    'kind' in difference
      ? {
          event: 'limits_used_repaired',
          detail: { kind: difference.kind, ...told },
          change: useRepaired(shard.db, difference),
        }
      : {
          event: 'balance_repaired',
          detail: told,
          change: { name: 'repair-balance', text: repairSince(snapshot), values: [accountId] },
        };
  return record(shard, { subjectId: accountId, ...repaired, ...by });
}

/** As JSON can carry it. */
function inWords(sums: Standing | Used): Record<string, string> {
  return Object.fromEntries(Object.entries(sums).map(([what, sum]) => [what, String(sum)]));
}
