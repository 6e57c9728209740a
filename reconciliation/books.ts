import type { Shard } from '../ledger/shards';
import { verifySlices, type VerifyPlace } from '../ledger/verify';
import type { Batch } from './batch';

/** One shard's books, from their rows alone. */
export async function* checkBooks(shard: Shard, from?: VerifyPlace): AsyncGenerator<Batch<VerifyPlace>> {
  const db = shard.openAtLeisure();
  try {
    for await (const { place, entries, findings } of verifySlices(db, from))
      yield { place, checked: entries, findings };
  } finally {
    await db.destroy();
  }
}
