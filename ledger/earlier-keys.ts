import type { NamedKey } from './aes';
import type { DataKeys, KeyName } from './data-keys';
import { Kept } from './kept';
import { ShardUnavailable } from './postgres';
import type { Shards } from './shards';
import { Locked } from './wrapping';

/**
 * Before there were data keys, the environment's keys sealed by themselves, and some of that is in the chain for ever. A
 * rotation keeps such a key as a data key on every shard: then the environment may forget it, and what it sealed opens.
 */
export function earlierKeyName(shard: number, id: string): KeyName {
  return { owner: `ho_${shard}_s1-${id.replaceAll('_', '.')}`, number: 1n };
}

const MAX_KEPT = 100;
/** So long it takes at most until a key is found that a rotation has just kept. */
const KEEP_MS = 60_000;

export class EarlierKeys {
  private readonly known = new Kept<Buffer | 'nowhere'>(MAX_KEPT, KEEP_MS);
  private readonly asking = new Map<string, Promise<Buffer>>();

  constructor(
    private readonly shards: Shards,
    private readonly keys: DataKeys,
    private readonly given: readonly NamedKey[],
  ) {}

  /** Throws Locked when there is no such key, and ShardUnavailable when one that does not answer may have it. */
  async find(id: string): Promise<Buffer> {
    const key = this.given.find((each) => each.id === id)?.key ?? this.known.get(id);
    if (key === 'nowhere') throw new Locked(id);
    if (key) return key;
    const asking = this.asking.get(id) ?? this.ask(id).finally(() => this.asking.delete(id));
    this.asking.set(id, asking);
    return asking;
  }

  /** The first that has it will do: none waits for another that is away. */
  private async ask(id: string): Promise<Buffer> {
    try {
      const key = await Promise.any(this.shards.all.map(({ number }) => this.keptBy(number, id)));
      this.known.set(id, key);
      return key;
    } catch (error) {
      const failure = (error as { errors: Error[] }).errors.find((each) => !(each instanceof Locked));
      if (failure) throw failure;
      this.known.set(id, 'nowhere');
      throw new Locked(id);
    }
  }

  private async keptBy(shard: number, id: string): Promise<Buffer> {
    const [key] = (await this.keys.find([earlierKeyName(shard, id)])).values();
    if (key === 'away') throw new ShardUnavailable(shard);
    if (key === undefined || key === 'gone') throw new Locked(id);
    if (key instanceof Error) throw key;
    return key;
  }
}
