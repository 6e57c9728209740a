import { sql, type Kysely } from 'kysely';
import type { TransactionStatus } from '../contracts/statuses';
import type { Position } from '../ledger/cursor';
import { TRY } from '../ledger/crossing';
import type { Database } from '../ledger/schema';
import { boundOf } from '../ledger/spans';

/** One side of a transfer between two shards. */
export interface CrossingRow {
  id: string;
  type: string;
  status: TransactionStatus;
  from_account: string;
  to_account: string;
  amount: bigint;
  currency: string;
  command_hash: string;
  created_block: bigint;
  created_index: number;
  final_block: bigint | null;
  /** Of the hold on the source's side. */
  hold: 'held' | 'captured' | 'released' | null;
  hold_amount: bigint | null;
}

/** The credits on a target's shard, or what started on a source's. */
export type Side = 'credits' | 'tries';

const PAGE = 500;
const COLUMNS = sql`t.id, t.type, t.status, t.from_account, t.to_account, t.amount, t.currency, t.command_hash,
  t.created_block, t.created_index, t.final_block`;
// As the index on them says it.
export const CROSSES = sql`split_part(t.from_account, '_', 2) <> split_part(t.to_account, '_', 2)`;
const isIncoming = (side: Side) => (side === 'credits' ? sql`t.incoming` : sql`not t.incoming`);

/** One shard's part in transfers between shards, as they began, up to a block. */
export async function crossingPage(
  db: Kysely<Database>,
  { side, after, upTo }: { side: Side; after: Position; upTo: bigint },
): Promise<CrossingRow[]> {
  const { rows } = await sql<CrossingRow>`
    select ${COLUMNS} from transactions t
    where ${CROSSES} and ${isIncoming(side)} and t.created_block <= ${upTo}
      and (t.created_block, t.created_index) > (${after.block}::bigint, ${after.index}::integer)
    order by t.created_block, t.created_index limit ${PAGE}`.execute(db);
  return rows;
}

/** The other side of some of them, by id. */
export async function crossingsById(
  db: Kysely<Database>,
  { side, ids }: { side: Side; ids: readonly string[] },
): Promise<Map<string, CrossingRow>> {
  const { rows } = await sql<CrossingRow>`
    select ${COLUMNS}, h.status as hold, h.amount as hold_amount
    from transactions t left join holds h on h.transaction_id = t.id and h.step = ${TRY}
    where t.id = any(${ids}::text[]) and ${isIncoming(side)}`.execute(db);
  return new Map(rows.map((row) => [row.id, row]));
}

/** What `@clearing` of each currency held after a block. */
export async function clearingAt(
  db: Kysely<Database>,
  block: bigint,
): Promise<{ currency: string; balance: bigint }[]> {
  const { at } = await boundOf(db, { block, index: 0 });
  const { rows } = await sql<{ currency: string; balance: bigint }>`
    select a.currency, coalesce(e.balance_after, 0) as balance
    from accounts a left join lateral (
      select balance_after from entries where account_id = a.id and block <= ${block} and at <= ${at}
      order by at desc, block desc, index desc limit 1) e on true
    where a.kind = 'system' and a.id like '%@clearing.%'`.execute(db);
  return rows;
}
