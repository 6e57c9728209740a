import { sql } from 'kysely';
import type { RotatedSome } from '../contracts/keys';
import { earlierKeyName } from '../ledger/earlier-keys';
import { nameOfKey, type DataKeys, type WrappedKey } from '../ledger/data-keys';
import type { Sealer } from '../ledger/seal';
import type { Shard } from '../ledger/shards';
import { isUnreadable } from '../ledger/wrapping';

/** What sealed before there were data keys becomes data keys: then no text needs the environment's keys any more. */
export async function keepEarlierKeys({ db, number }: Shard, { keys, earlier }: Sealer): Promise<void> {
  for (const { id, key } of earlier) {
    const name = earlierKeyName(number, id);
    const { wrappingKey, wrapped } = await keys.wrap(name, key);
    await db
      .insertInto('data_keys')
      .values({ owner_id: name.owner, number: name.number, wrapping_key: wrappingKey, wrapped })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Wraps by the newest key what is wrapped by another, in the order of owners. What can't be unwrapped is left. */
export async function rewrapSome(
  { db }: Shard,
  { keys }: Sealer,
  { after, limit }: { after: string; limit: number },
): Promise<RotatedSome> {
  const [owner, number] = after === '' ? ['', 0n] : splitPlace(after);
  const { rows } = await sql<WrappedKey>`
    select owner_id as owner, number, wrapping_key as "wrappingKey", wrapped from data_keys
    where (owner_id, number) > (${owner}, ${number}) and wrapping_key <> ${keys.wrapper.current}
    order by owner_id, number limit ${limit}`.execute(db);
  const all = await Promise.all(rows.map(async (row) => ({ row, wrapped: await wrappedAnew(keys, row) })));
  const done = all.filter(({ wrapped }) => wrapped !== undefined);
  const left = all.filter(({ wrapped }) => wrapped === undefined).map(({ row }) => row);
  const locked = left.filter(({ wrappingKey }) => !keys.wrapper.has(wrappingKey)).length;
  // Only as it was read: a user who was erased meanwhile has none.
  const changed = await sql`
    update data_keys set wrapping_key = ${keys.wrapper.current}, wrapped = new.wrapped
    from unnest(${done.map(({ row }) => row.owner)}::text[], ${done.map(({ row }) => row.number)}::bigint[],
      ${done.map(({ row }) => row.wrapped)}::text[], ${done.map(({ wrapped }) => wrapped)}::text[])
      as new (owner_id, number, old, wrapped)
    where data_keys.owner_id = new.owner_id and data_keys.number = new.number and data_keys.wrapped = new.old`.execute(
    db,
  );
  const last = rows.at(-1);
  return {
    resealed: 0,
    rewrapped: Number(changed.numAffectedRows ?? 0),
    locked,
    broken: left.length - locked,
    left: left.map(nameOfKey),
    ...(rows.length === limit && last && { after: `${last.owner} ${last.number}` }),
  };
}

async function wrappedAnew(keys: DataKeys, row: WrappedKey): Promise<string | undefined> {
  try {
    return (await keys.wrap(row, await keys.unwrap(row))).wrapped;
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

function splitPlace(place: string): [string, bigint] {
  const [owner = '', number = '0'] = place.split(' ');
  return [owner, BigInt(number)];
}
