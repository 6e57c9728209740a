import { sql } from 'kysely';
import { earlierKeyName } from './earlier-keys';
import type { Sealer } from './seal';
import type { Shard } from './shards';

export interface KeyUse {
  id: string;
  isCurrent: boolean;
  /** Whether the environment gives it. */
  isGiven: boolean;
  /** How many data keys it wraps. */
  wraps: number;
  /** How many rows of users and bank accounts it sealed itself, as before there were data keys: a rotation leaves none. */
  seals: number;
  /** Whether texts from before there were data keys may be readable by it alone: a rotation ends that. */
  isKept: boolean;
}

/** Every key that is given, or that something of a shard is wrapped or sealed by. */
export async function keyUse(
  { db, number }: Pick<Shard, 'db' | 'number'>,
  { keys, earlier }: Sealer,
): Promise<KeyUse[]> {
  const { rows } = await sql<{ id: string; wraps: string }>`
    select wrapping_key as id, count(*) as wraps from data_keys group by 1 order by 1`.execute(db);
  const { rows: sealed } = await sql<{ id: string; seals: string }>`
    select split_part(text, '.', 2) as id, count(*) as seals from (
      select name_sealed from users union all select details_sealed from bank_accounts) as sealed (text)
    where text like 's1.%' group by 1`.execute(db);
  const ids = new Set([...earlier, ...rows, ...sealed].map(({ id }) => id));
  const owners = [...ids].map((id) => earlierKeyName(number, id).owner);
  const kept = await db.selectFrom('data_keys').select('owner_id').where('owner_id', 'in', owners).execute();
  const isKept = new Set(kept.map((row) => row.owner_id));
  return [...ids].map((id) => ({
    id,
    isCurrent: id === keys.wrapper.current,
    isGiven: keys.wrapper.has(id),
    wraps: Number(rows.find((row) => row.id === id)?.wraps ?? 0),
    seals: Number(sealed.find((row) => row.id === id)?.seals ?? 0),
    isKept: isKept.has(earlierKeyName(number, id).owner),
  }));
}

/** Whether something can't be read without it. */
export const isNeeded = ({ isCurrent, wraps, seals, isKept }: KeyUse) => isCurrent || wraps + seals > 0 || !isKept;

/** Whether something can't be read, since it is not given. */
export const isMissing = ({ isGiven, wraps, seals, isKept }: KeyUse) =>
  !isGiven && (wraps > 0 || (seals > 0 && !isKept));

export function keyInWords(use: KeyUse): string {
  const { id, isCurrent, wraps, seals, isKept } = use;
  const what = `${wraps} data keys are wrapped by it, ${seals} rows sealed`;
  if (isMissing(use)) return `is not given, and what needs it can't be read: ${what}`;
  if (isCurrent) return `wraps, ${wraps} data keys so far`;
  if (wraps + seals > 0) return `is needed: ${what}`;
  return isKept
    ? 'is needed by nothing, and may be left out'
    : `may be needed by texts it sealed itself: ${id} is not kept`;
}
