import { sql, type Kysely, type Selectable } from 'kysely';
import type { TransactionId } from '../contracts/ids';
import type { TransferItem } from '../contracts/transfers';
import type { Half } from '../ledger/commands';
import { RECEIVE, TRY } from '../ledger/crossing';
import type { Position } from '../ledger/cursor';
import { itemOf } from '../ledger/open-transactions';
import type { Database } from '../ledger/schema';
import { atLeisure, type Shard } from '../ledger/shards';
import { CROSSES } from './crossing-rows';

/** A half of a transfer that the other half's shard knows to be done. */
export interface LostHalf {
  half: Half;
  item: TransferItem;
  /** When the other half was. */
  at: Date;
}

/** What a shard does not know of, or not any more. */
export interface Lost {
  /** In the order in which the other halves were done. */
  halves: LostHalf[];
  /** Transfers whose senders have their money back: a credit that is under way must not land any more. */
  released: TransactionId[];
}

type Row = Selectable<Database['transactions']>;

const PAGE = 500;

/** What the other shards have ended with this one since a moment, and it does not know. */
export async function lostBy(restored: Shard, others: readonly Shard[], since: Date): Promise<Lost> {
  const lost: Lost = { halves: [], released: [] };
  for (const other of others) {
    await atLeisure(other, async (db) => {
      for await (const ended of endedWith(db, restored.number, since)) await addLost(lost, restored, ended);
    });
  }
  lost.halves.sort((one, other) => one.at.getTime() - other.at.getTime());
  return lost;
}

async function addLost(lost: Lost, restored: Shard, ended: readonly Row[]): Promise<void> {
  const ids = ended.map(({ id }) => id);
  const [known, held, forbidden] = await Promise.all([
    standingOf(restored, ids),
    heldFor(restored, ids),
    forbiddenOf(restored, ids),
  ]);
  for (const row of ended) {
    const standing = known.get(row.id);
    if (row.status === 'completed') {
      const half = row.incoming ? 'debit' : 'credit';
      // What is held still goes forward by its own workflow.
      if (standing === 'completed' || held.has(row.id)) continue;
      lost.halves.push({ half, item: itemOf(row), at: row.completed_at! });
    } else if (standing === undefined && !forbidden.has(row.id)) {
      lost.released.push(row.id);
    }
  }
}

/** By the events that ended them, which lie by time: so nothing is read from before that moment. */
async function* endedWith(db: Kysely<Database>, shard: number, since: Date): AsyncGenerator<Row[]> {
  let after: Position = { block: 0n, index: -1 };
  for (;;) {
    const { rows } = await sql<Row & { told_block: bigint; told_index: number }>`
      select t.*, e.block as told_block, e.index as told_index
      from events e join transactions t on t.id = e.subject_id and t.final_block = e.block and t.status = e.kind
      where e.at >= ${since} and (e.block, e.index) > (${after.block}::bigint, ${after.index}::integer)
        and ${CROSSES} and not (t.incoming and t.status <> 'completed')
        and split_part(case when t.incoming then t.from_account else t.to_account end, '_', 2) = ${String(shard)}
        and (t.status = 'completed' or exists (
          select from holds h where h.transaction_id = t.id and h.step = ${TRY} and h.status = 'released'))
      order by e.block, e.index limit ${PAGE}`.execute(db);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    after = { block: last.told_block, index: last.told_index };
  }
}

async function standingOf({ db }: Shard, ids: string[]) {
  const rows = await db.selectFrom('transactions').select(['id', 'status']).where('id', 'in', ids).execute();
  return new Map(rows.map(({ id, status }) => [id, status]));
}

async function heldFor({ db }: Shard, ids: string[]): Promise<Set<TransactionId>> {
  const rows = await db
    .selectFrom('holds')
    .select('transaction_id')
    .where('transaction_id', 'in', ids)
    .where('step', '=', TRY)
    .where('status', '=', 'held')
    .execute();
  return new Set(rows.map((row) => row.transaction_id));
}

async function forbiddenOf({ db }: Shard, ids: string[]): Promise<Set<TransactionId>> {
  const rows = await db
    .selectFrom('steps')
    .select('transaction_id')
    .where('transaction_id', 'in', ids)
    .where('step', '=', RECEIVE)
    .where('outcome', '=', 'tombstone')
    .execute();
  return new Set(rows.map((row) => row.transaction_id));
}

/** What a wallet could pay, where it is there: says how much is missing. */
export async function availableIn({ db }: Shard, accountId: string): Promise<bigint | undefined> {
  const row = await db
    .selectFrom('accounts')
    .select(['balance', 'held'])
    .where('id', '=', accountId)
    .executeTakeFirst();
  return row && row.balance - row.held;
}
