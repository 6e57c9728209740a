import { isMissing, keyInWords, keyUse, type KeyUse } from '../../ledger/key-use';
import { createSealer } from '../../ledger/seal';
import { atLeisure, openShards } from '../../ledger/shards';
import type { Config } from '../config';

const silent = { info() {}, warn() {}, error() {} };

/** Whether every key that is needed is given. */
export async function listKeys(
  config: Pick<Config, 'shards' | 'secrets'>,
  say: (line: string) => void,
): Promise<boolean> {
  const found = await keysOf(config);
  for (const { shard, keys } of found) for (const key of keys) say(`shard ${shard}: ${key.id} ${keyInWords(key)}`);
  return !found.some(({ keys }) => keys.some(isMissing));
}

export async function keysOf(config: Pick<Config, 'shards' | 'secrets'>): Promise<{ shard: number; keys: KeyUse[] }[]> {
  const shards = openShards({ urls: config.shards.map(({ url }) => url), log: silent, poolSize: 1 });
  try {
    const sealer = createSealer({ shards, ...config.secrets });
    return await Promise.all(
      shards.all.map(async (shard) => {
        const { number } = shard;
        // It counts rows of all users.
        return { shard: number, keys: await atLeisure(shard, (db) => keyUse({ db, number }, sealer)) };
      }),
    );
  } finally {
    await shards.close();
  }
}
