import { randomBytes } from 'node:crypto';
import { sql, type Kysely } from 'kysely';
import { shardOfId } from '../contracts/ids';
import { Kept } from './kept';
import type { Database } from './schema';
import { readable, readIfThere, type Shards } from './shards';
import type { KeyWrapper } from './wrapping';

/**
 * An owner's keys are numbered by when they were made: the newest seals, every one opens. So no number comes twice, not even
 * on a shard that was restored to before a key was made.
 */
export interface KeyName {
  owner: string;
  number: bigint;
}

export interface DataKey extends KeyName {
  key: Buffer;
}

/** As it is stored. */
export interface WrappedKey extends KeyName {
  wrappingKey: string;
  wrapped: string;
}

/** `away`: its shard does not answer. `gone`: there is no such key, or no longer. An error: why it can't be unwrapped. */
export type FoundKey = Buffer | Error | 'away' | 'gone';

const KEY_BYTES = 32;
const MAX_KEPT = 10_000;
/** So long after an erasure another process may still know a key. */
const KEEP_MS = 60_000;

export const nameOfKey = ({ owner, number }: KeyName) => `${owner}.${number}`;
const aboutKey = (name: KeyName) => `data-key/${nameOfKey(name)}`;

/**
 * The keys of personal data, each on its owner's shard and wrapped there; unwrapped only here, and not for long. Not for
 * longer either while the shard is away: away from here, it may be where its owner is erased just now.
 */
export class DataKeys {
  private readonly kept = new Kept<DataKey>(MAX_KEPT, KEEP_MS);
  private readonly newest = new Kept<DataKey>(MAX_KEPT, KEEP_MS);
  private readonly asking = new Map<string, Promise<DataKey | undefined>>();

  constructor(
    private readonly shards: Shards,
    readonly wrapper: KeyWrapper,
  ) {}

  /** The key that seals for an owner, made at its first use; undefined for a user who isn't there, or no longer. */
  async newestOf(owner: string): Promise<DataKey | undefined> {
    const known = this.newest.get(owner);
    if (known) return known;
    // A thousand messages of one sender ask once.
    const asking = this.asking.get(owner) ?? this.findNewest(owner).finally(() => this.asking.delete(owner));
    this.asking.set(owner, asking);
    return asking;
  }

  /** All of them, with one query a shard; by their names. */
  async find(names: readonly KeyName[]): Promise<Map<string, FoundKey>> {
    const found = new Map<string, FoundKey>();
    const missing = new Map<number, KeyName[]>();
    for (const each of names) {
      const name = nameOfKey(each);
      if (found.has(name)) continue;
      const key = this.kept.get(name)?.key;
      const shard = shardOfId(each.owner);
      found.set(name, key ?? 'gone');
      if (!key && shard !== undefined) missing.set(shard, [...(missing.get(shard) ?? []), each]);
    }
    await Promise.all(
      [...missing].map(async ([number, some]) => {
        const rows = await readIfThere(this.shards.shard(number), (db) => read(db, some));
        if (!rows) for (const each of some) found.set(nameOfKey(each), 'away');
        else for (const row of rows) found.set(nameOfKey(row), await this.unwrap(row).catch((error: Error) => error));
      }),
    );
    return found;
  }

  /** A new key, to be stored in the same commit as what it seals. */
  async make(owner: string, { after = 0n }: { after?: bigint } = {}): Promise<DataKey & WrappedKey> {
    const now = BigInt(Date.now());
    const name = { owner, number: now > after ? now : after + 1n };
    const key = randomBytes(KEY_BYTES);
    return { ...name, key, ...(await this.wrap(name, key)) };
  }

  async wrap(name: KeyName, key: Buffer): Promise<Omit<WrappedKey, keyof KeyName>> {
    return { wrappingKey: this.wrapper.current, wrapped: await this.wrapper.wrap(key, aboutKey(name)) };
  }

  async unwrap(row: WrappedKey): Promise<Buffer> {
    const key = await this.wrapper.unwrap(row.wrapped, row.wrappingKey, aboutKey(row));
    this.kept.set(nameOfKey(row), { owner: row.owner, number: row.number, key });
    return key;
  }

  /** There is a newer one. */
  forgetNewest(owners: readonly string[]): void {
    for (const owner of owners) this.newest.delete(owner);
  }

  /** As far as this process knows: the database is another matter. */
  forgetOwner(owner: string): void {
    this.newest.delete(owner);
    this.kept.deleteAll((key) => key.owner === owner);
  }

  private async findNewest(owner: string): Promise<DataKey | undefined> {
    const { db } = await readable(this.shards.forId(owner)!);
    let row = await readNewest(db, owner);
    if (!row) {
      await storeFirst(db, await this.make(owner));
      // Somebody else may have been quicker.
      row = await readNewest(db, owner);
    }
    if (!row) return undefined;
    const newest = { owner, number: row.number, key: await this.unwrap(row) };
    this.newest.set(owner, newest);
    return newest;
  }
}

const COLUMNS = ['owner_id as owner', 'number', 'wrapping_key as wrappingKey', 'wrapped'] as const;

async function read(db: Kysely<Database>, names: readonly KeyName[]): Promise<WrappedKey[]> {
  const owners = names.map(({ owner }) => owner);
  const numbers = names.map(({ number }) => number);
  const { rows } = await sql<WrappedKey>`
    select owner_id as owner, number, wrapping_key as "wrappingKey", wrapped
    from data_keys join unnest(${owners}::text[], ${numbers}::bigint[]) as wanted (owner_id, number)
      using (owner_id, number)`.execute(db);
  return rows;
}

function readNewest(db: Kysely<Database>, owner: string): Promise<WrappedKey | undefined> {
  return db
    .selectFrom('data_keys')
    .select(COLUMNS)
    .where('owner_id', '=', owner)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Nobody gets one who isn't there; and who is being erased just now is waited for. */
async function storeFirst(db: Kysely<Database>, { owner, number, wrappingKey, wrapped }: WrappedKey): Promise<void> {
  const isHouse = isHouseOwner(owner);
  await sql`
    insert into data_keys (owner_id, number, wrapping_key, wrapped)
    select ${owner}::text, ${number}::bigint, ${wrappingKey}::text, ${wrapped}::text
    where not exists (select from data_keys where owner_id = ${owner})
      and (${isHouse} or exists (select from users where id = ${owner} and status <> 'erased' for share))
    on conflict do nothing`.execute(db);
}

/** Under whose key stands what is nobody's in particular, a key for each shard. */
export const houseOf = (shard: number) => `ho_${shard}_house`;

export const isHouseOwner = (owner: string) => owner.startsWith('ho_');
