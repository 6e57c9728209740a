import { SYSTEM } from '../../ledger/by';
import { Poster } from '../../ledger/poster';
import { record } from '../../ledger/record';

const log = { info() {}, warn() {}, error() {} };

/** Finds out, under the chain's lock, whether this move is still to be told. */
const UNTOLD_MOVE = `
  select shard from shard_identity where move_id = $2 and state = 'active' and not exists (
    select from events where subject_id = $1 and kind = 'shard_moved' and detail::jsonb ->> 'move' = $2)`;

/** Tells the shard's chain, once, where it came from; after that it has been written to in its new place. */
export async function recordMove(of: { shard: number; url: string; moveId: string; from: string; to: string }) {
  const { shard, url, moveId, from, to } = of;
  const subjectId = `shard_${shard}`;
  const poster = new Poster({ shard, url, log });
  const change = { name: 'untold-move', text: UNTOLD_MOVE, values: [subjectId, moveId] };
  try {
    await record(
      { poster },
      { ...SYSTEM, subjectId, event: 'shard_moved', detail: { from, to, move: moveId }, change },
    );
  } finally {
    await poster.close();
  }
}
