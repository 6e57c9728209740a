import { sql } from 'kysely';
import { encrypt, type NamedKey } from '../../ledger/aes';
import { createSealer, type Sealer } from '../../ledger/seal';
import type { Shard, Shards } from '../../ledger/shards';

export const SEAL_KEYS = [{ id: 'test', key: Buffer.alloc(32, 7) }];
export const COMMAND_KEY = 'a key for the hashes of commands in tests';

export function testSealer(shards: Shards, sealKeys: NamedKey[] = SEAL_KEYS): Sealer {
  return createSealer({ shards, sealKeys, commandKey: COMMAND_KEY });
}

/** As everything was sealed before there were data keys. */
export function sealedEarlier(text: string, { id, key } = SEAL_KEYS[0]!): string {
  return `s1.${id}.${encrypt(key, Buffer.from(text)).toString('base64url')}`;
}

/** All that a shard's database has, as text. */
export async function everyRow({ db }: Shard): Promise<string> {
  const { rows: tables } = await sql<{ name: string }>`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
      and not relispartition and has_table_privilege(oid, 'select')`.execute(db);
  const parts = tables.map(({ name }) =>
    sql<{ row: string }>`select t::text as row from ${sql.table(name)} t`.execute(db),
  );
  return (await Promise.all(parts)).flatMap(({ rows }) => rows.map(({ row }) => row)).join('\n');
}
