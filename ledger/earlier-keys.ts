import type { NamedKey } from './aes';
import type { DataKeys, KeyName } from './data-keys';
import type { Shards } from './shards';

/**
 * Before there were data keys, the environment's keys sealed by themselves, and some of that is in the chain for ever. A
 * rotation keeps such a key as a data key on every shard: then the environment may forget it, and what it sealed opens.
 */
export function earlierKeyName(shard: number, id: string): KeyName {
  return { owner: `ho_${shard}_s1-${id.replaceAll('_', '.')}`, number: 1n };
}

export async function earlierKey(
  id: string,
  { shards, keys, sealKeys }: { shards: Shards; keys: DataKeys; sealKeys: readonly NamedKey[] },
): Promise<Buffer | undefined> {
  const known = sealKeys.find((each) => each.id === id);
  if (known) return known.key;
  for (const { number } of shards.all) {
    const found = (await keys.find([earlierKeyName(number, id)])).values();
    for (const key of found) if (Buffer.isBuffer(key)) return key;
  }
  return undefined;
}
