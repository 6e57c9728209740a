import { sql, type Kysely, type Selectable } from 'kysely';
import type { RotatedSome } from '../contracts/keys';
import { houseOf, nameOfKey, type DataKey, type DataKeys, type KeyName } from '../ledger/data-keys';
import type { Database } from '../ledger/schema';
import { ERASED, fieldOf, keyOf, sealed, type Sealer } from '../ledger/seal';
import type { Shard } from '../ledger/shards';
import { isUnreadable, Locked } from '../ledger/wrapping';

type UserRow = Selectable<Database['users']>;
type BankAccountRow = Pick<Selectable<Database['bank_accounts']>, 'id' | 'owner_id' | 'details_sealed'>;

interface Slice {
  after: string;
  limit: number;
  /** Whoever has only keys of before it gets a new one. */
  oldKeysAreOf: Date | undefined;
  reached: () => void;
}

/** Which data key is the newest of whom, as the database has it: what a process remembers may be older. */
type Newest = ReadonlyMap<string, KeyName>;

/**
 * Seals the rows of some users under their newest data keys: those from before there were any, and with new keys all that
 * may change. What is part of the chain stays as it was hashed, and its keys stay with it. What can't be opened is left,
 * and named.
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
  const newest = await newestKeys(db, ids);
  const accounts = await bankAccountsOf(db, ids);
  const rows = [
    ...users.map((user) => ({
      id: user.id,
      sealed: user.name_sealed,
      reseal: () => resealUser(db, sealer, newest, user),
    })),
    ...accounts.map((account) => ({
      id: account.id,
      sealed: account.details_sealed,
      reseal: () => resealBankAccount(db, sealer, newest, account),
    })),
  ];
  const done = { resealed: 0, rewrapped: 0, locked: 0, broken: 0, left: [] as string[] };
  for (const { id, sealed: text, reseal } of rows) {
    try {
      done.resealed += await reseal();
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      // A data key that is locked is counted, and named, as such.
      if (!(error instanceof Locked && keyOf(text))) {
        if (error instanceof Locked) done.locked += 1;
        else done.broken += 1;
        done.left.push(id);
      }
    }
    reached();
  }
  const last = users.at(-1);
  return { ...done, ...(users.length === limit && last && { after: last.id }) };
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

async function newestKeys(db: Kysely<Database>, owners: readonly string[]): Promise<Newest> {
  const { rows } = await sql<KeyName>`
    select owner_id as owner, max(number) as number from data_keys where owner_id = any(${owners})
    group by owner_id`.execute(db);
  return new Map(rows.map((row) => [row.owner, row]));
}

async function resealUser(db: Kysely<Database>, sealer: Sealer, newest: Newest, row: UserRow): Promise<number> {
  const fields = { name: fieldOf.name(row.id), email: fieldOf.email(row.id) };
  const isDone = isUnder(newest.get(row.id), [row.name_sealed, row.email_sealed]);
  if (isDone && row.email_index !== null) return 0;
  const email = await sealer.open(row.email_sealed, fields.email);
  const name = await sealer.open(row.name_sealed, fields.name);
  const key = await newestKey(sealer.keys, newest, row.id);
  if (email === ERASED || !key) return 0;
  const { numUpdatedRows } = await db
    .updateTable('users')
    .set({
      name_sealed: sealed(key, fields.name, name),
      email_sealed: sealed(key, fields.email, email),
      email_index: sealer.index('email', email),
    })
    .where('id', '=', row.id)
    .where('name_sealed', '=', row.name_sealed)
    .where('email_sealed', '=', row.email_sealed)
    .where('status', '<>', 'erased')
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

async function resealBankAccount(
  db: Kysely<Database>,
  sealer: Sealer,
  newest: Newest,
  row: BankAccountRow,
): Promise<number> {
  if (isUnder(newest.get(row.owner_id), [row.details_sealed])) return 0;
  const field = fieldOf.bankAccount(row.id);
  const details = await sealer.open(row.details_sealed, field);
  const key = await newestKey(sealer.keys, newest, row.owner_id);
  if (details === ERASED || !key) return 0;
  const { numUpdatedRows } = await db
    .updateTable('bank_accounts')
    .set({ details_sealed: sealed(key, field, details) })
    .where('id', '=', row.id)
    .where('details_sealed', '=', row.details_sealed)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

function isUnder(key: KeyName | undefined, texts: readonly string[]): boolean {
  return texts.every((text) => {
    const of = keyOf(text);
    return of !== undefined && of.owner === key?.owner && of.number === key.number;
  });
}

/** Who has none gets the first; undefined for who is being erased. */
async function newestKey(keys: DataKeys, newest: Newest, owner: string): Promise<DataKey | undefined> {
  const name = newest.get(owner);
  if (!name) return keys.newestOf(owner);
  const key = (await keys.find([name])).get(nameOfKey(name))!;
  if (key instanceof Error) throw key;
  return Buffer.isBuffer(key) ? { ...name, key } : undefined;
}

function bankAccountsOf(db: Kysely<Database>, owners: readonly string[]): Promise<BankAccountRow[]> {
  return db
    .selectFrom('bank_accounts')
    .select(['id', 'owner_id', 'details_sealed'])
    .where('owner_id', 'in', owners.length > 0 ? [...owners] : [''])
    .where('details_sealed', '<>', '')
    .execute();
}
