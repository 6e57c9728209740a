import { sql, type Kysely, type Selectable } from 'kysely';
import type { RotatedSome } from '../contracts/keys';
import { houseOf } from '../ledger/data-keys';
import type { Database } from '../ledger/schema';
import { ERASED, fieldOf, keyOf, type Sealer } from '../ledger/seal';
import type { Shard } from '../ledger/shards';
import { Locked } from '../ledger/wrapping';

type UserRow = Selectable<Database['users']>;
type BankAccountRow = Pick<Selectable<Database['bank_accounts']>, 'id' | 'owner_id' | 'details_sealed'>;

interface Slice {
  after: string;
  limit: number;
  /** Whoever has only keys of before it gets a new one. */
  oldKeysAreOf: Date | undefined;
  reached: () => void;
}

/**
 * Seals the rows of some users under their newest data keys: those from before there were any, and with new keys all that
 * may change. What is part of the chain stays as it was hashed, and its keys stay with it.
 */
export async function resealSome(shard: Shard, sealer: Sealer, slice: Slice): Promise<RotatedSome> {
  const { db } = shard;
  const { after, limit, oldKeysAreOf, reached } = slice;
  const users = await db
    .selectFrom('users')
    .selectAll()
    .where('id', '>', after)
    .where('status', '<>', 'erased')
    .orderBy('id')
    .limit(limit)
    .execute();
  const ids = users.map(({ id }) => id);
  const house = after === '' ? [houseOf(shard.number)] : [];
  if (oldKeysAreOf) await addKeys(db, sealer, [...house, ...ids], oldKeysAreOf);
  const accounts = await bankAccountsOf(db, ids);
  let [resealed, locked] = [0, 0];
  for (const user of users) {
    try {
      resealed += await resealUser(db, sealer, user);
      for (const account of accounts.filter((each) => each.owner_id === user.id)) {
        resealed += await resealBankAccount(db, sealer, account);
      }
    } catch (error) {
      if (!(error instanceof Locked)) throw error;
      // Those that have a data key are counted as such.
      if (!keyOf(user.name_sealed)) locked += 1;
    }
    reached();
  }
  const last = users.at(-1);
  return { resealed, rewrapped: 0, locked, ...(users.length === limit && last && { after: last.id }) };
}

/** A key more for each of them that has none newer. */
async function addKeys(db: Kysely<Database>, { keys }: Sealer, ids: readonly string[], before: Date): Promise<void> {
  const { rows } = await sql<{ owner: string; number: bigint }>`
    select owner_id as owner, max(number) as number from data_keys where owner_id = any(${ids})
    group by owner_id having max(created_at) < ${before}`.execute(db);
  const made = await Promise.all(rows.map(({ owner, number }) => keys.make(owner, { after: number })));
  await sql`
    insert into data_keys (owner_id, number, wrapping_key, wrapped)
    select new.* from unnest(${made.map(({ owner }) => owner)}::text[], ${made.map(({ number }) => number)}::bigint[],
      ${made.map(({ wrappingKey }) => wrappingKey)}::text[], ${made.map(({ wrapped }) => wrapped)}::text[])
      as new (owner_id, number, wrapping_key, wrapped)
    where new.owner_id like 'ho\\_%' or exists (select from users where id = new.owner_id and status <> 'erased' for share)
    on conflict do nothing`.execute(db);
  keys.forgetNewest(made.map(({ owner }) => owner));
}

async function resealUser(db: Kysely<Database>, sealer: Sealer, row: UserRow): Promise<number> {
  const fields = { name: fieldOf.name(row.id), email: fieldOf.email(row.id) };
  const isDone = await isNewest(sealer, row.id, [row.name_sealed, row.email_sealed]);
  if (isDone && row.email_index !== null) return 0;
  const email = await sealer.open(row.email_sealed, fields.email);
  if (email === ERASED) return 0;
  const { numUpdatedRows } = await db
    .updateTable('users')
    .set({
      name_sealed: await sealer.seal(row.id, fields.name, await sealer.open(row.name_sealed, fields.name)),
      email_sealed: await sealer.seal(row.id, fields.email, email),
      email_index: sealer.index('email', email),
    })
    .where('id', '=', row.id)
    .where('name_sealed', '=', row.name_sealed)
    .where('email_sealed', '=', row.email_sealed)
    .where('status', '<>', 'erased')
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

async function resealBankAccount(db: Kysely<Database>, sealer: Sealer, row: BankAccountRow): Promise<number> {
  if (await isNewest(sealer, row.owner_id, [row.details_sealed])) return 0;
  const field = fieldOf.bankAccount(row.id);
  const details = await sealer.open(row.details_sealed, field);
  if (details === ERASED) return 0;
  const { numUpdatedRows } = await db
    .updateTable('bank_accounts')
    .set({ details_sealed: await sealer.seal(row.owner_id, field, details) })
    .where('id', '=', row.id)
    .where('details_sealed', '=', row.details_sealed)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

async function isNewest({ keys }: Sealer, owner: string, texts: readonly string[]): Promise<boolean> {
  const newest = await keys.newestOf(owner);
  return texts.every((text) => {
    const key = keyOf(text);
    return key?.owner === owner && key.number === newest?.number;
  });
}

function bankAccountsOf(db: Kysely<Database>, owners: readonly string[]): Promise<BankAccountRow[]> {
  return db
    .selectFrom('bank_accounts')
    .select(['id', 'owner_id', 'details_sealed'])
    .where('owner_id', 'in', owners.length > 0 ? [...owners] : [''])
    .where('details_sealed', '<>', '')
    .execute();
}
