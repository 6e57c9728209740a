import { openShards } from '../../ledger/shards';
import type { Config } from '../config';

const silent = { info() {}, warn() {}, error() {} };

export async function listErasures(config: Pick<Config, 'shards'>, say: (line: string) => void): Promise<void> {
  const shards = openShards({ urls: config.shards.map(({ url }) => url), log: silent, poolSize: 1 });
  try {
    for (const { db } of shards.all) {
      const rows = await db
        .selectFrom('erasures')
        .select('user_id')
        .where('erased_at', 'is not', null)
        .orderBy('erased_at')
        .execute();
      for (const row of rows) say(row.user_id);
    }
  } finally {
    await shards.close();
  }
}
