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
  /** Whether texts from before there were data keys may be readable by it alone: a rotation ends that. */
  isKept: boolean;
}

/** Every key that is given, or that a shard's data keys are wrapped by. */
export async function keyUse({ db, number }: Shard, { keys, earlier }: Sealer): Promise<KeyUse[]> {
  const { rows } = await sql<{ id: string; wraps: string }>`
    select wrapping_key as id, count(*) as wraps from data_keys group by 1 order by 1`.execute(db);
  const owners = earlier.map(({ id }) => earlierKeyName(number, id).owner);
  const kept = await db.selectFrom('data_keys').select('owner_id').where('owner_id', 'in', owners).execute();
  const isKept = new Set(kept.map((row) => row.owner_id));
  const ids = new Set([...earlier.map(({ id }) => id), ...rows.map(({ id }) => id)]);
  return [...ids].map((id) => ({
    id,
    isCurrent: id === keys.wrapper.current,
    isGiven: keys.wrapper.has(id),
    wraps: Number(rows.find((row) => row.id === id)?.wraps ?? 0),
    isKept: isKept.has(earlierKeyName(number, id).owner),
  }));
}

/** Whether something can't be read without it. */
export const isNeeded = ({ isCurrent, wraps, isKept }: KeyUse) => isCurrent || wraps > 0 || !isKept;

export function keyInWords({ id, isCurrent, isGiven, wraps, isKept }: KeyUse): string {
  if (!isGiven) return `wraps ${wraps} data keys, and is not given: what they sealed can't be read`;
  if (isCurrent) return `wraps, ${wraps} data keys so far`;
  if (wraps > 0) return `is needed: ${wraps} data keys are wrapped by it`;
  return isKept
    ? 'is needed by nothing, and may be left out'
    : `may be needed by texts it sealed itself: ${id} is not kept`;
}
