import type pg from 'pg';
import { verifyShard } from '../../ledger/verify';
import { differencesFromBank } from './bank-books';
import type { Told } from './load';
import { livesOn, withShards, type Person } from './people';
import { until, type Stack } from './stack';
import { countOf, rowsOf, total, withBooks } from './stack-books';

interface Facts {
  people: Person[];
  /** What clients were told of every key they sent. */
  told: Map<string, Told>;
}

/** What must be true of the books whatever happened: held against what clients were told, not against itself. */
export async function checkBooks(stack: Pick<Stack, 'appUrls'>, { people, told }: Facts): Promise<void> {
  await withBooks(stack, async (books) => {
    await nothingIsOpen(books);
    await eachKeyIsOneTransaction(books, told);
    await balancesAreWhatWasTold(books, people, told);
    await sumsAreConserved(books);
  });
  await chainsVerify(stack);
}

/**
 * What must be true of payments once they have ended: the bank's books are ours, but for `besides`, which people know of;
 * nothing is open, held, or lost from a chain.
 */
export async function checkPayments(stack: Stack, besides: Record<string, bigint> = {}): Promise<void> {
  await withBooks(stack, async (books) => {
    await nothingIsOpen(books);
    expect(await differencesFromBank(books, stack.bankControl)).toEqual(besides);
    await sumsAreConserved(books);
  });
  await chainsVerify(stack);
}

function nothingIsOpen(books: pg.Client[]): Promise<void> {
  const open = 'transactions where completed_at is null';
  return until('nothing to be pending', async () => (await countOf(books, open)) === 0n);
}

async function eachKeyIsOneTransaction(books: pg.Client[], told: Map<string, Told>): Promise<void> {
  const all = [...told.values()];
  const line = (id: string, status: string) => `${id} ${status} with ${status === 'completed' ? 2 : 0} entries`;
  for (const [shard, db] of books.entries()) {
    const here = livesOn(shard);
    const started = all.filter(({ wish }) => here(wish.person)).map(({ wish, status }) => line(wish.id, status));
    expect(await transfersIn(db, 'not t.incoming')).toEqual(started.sort());
    // A credit that was refused has its row too.
    const credited = all
      .filter(({ wish, status }) => status === 'completed' && !here(wish.person) && here(wish.to))
      .map(({ wish }) => line(wish.id, 'completed'));
    expect(await transfersIn(db, `t.incoming and t.status = 'completed'`)).toEqual(credited.sort());
  }
}

async function transfersIn(db: pg.Client, which: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string; status: string; entries: bigint }>(
    `select t.id, t.status, count(e.block) as entries from transactions t
     left join entries e on e.transaction_id = t.id where t.type = 'transfer' and ${which} group by t.id`,
  );
  return rows.map(({ id, status, entries }) => `${id} ${status} with ${entries} entries`).sort();
}

async function balancesAreWhatWasTold(books: pg.Client[], people: Person[], told: Map<string, Told>): Promise<void> {
  const expected = new Map(people.map(({ accountId, openingMinor }) => [accountId, openingMinor]));
  const add = (account: string, amount: bigint) => expected.set(account, expected.get(account)! + amount);
  for (const { wish, status } of told.values()) {
    if (status !== 'completed') continue;
    add(wish.person.accountId, -wish.amountMinor);
    add(wish.to.accountId, wish.amountMinor);
  }
  const rows = await rowsOf<{ id: string; balance: bigint }>(
    books,
    `select id, balance from accounts where kind = 'user'`,
  );
  expect(new Map(rows.map(({ id, balance }) => [id, balance]))).toEqual(expected);
}

/** On each shard, and between them: with nothing in flight `@clearing` over all shards is nothing. */
export async function sumsAreConserved(books: pg.Client[]): Promise<void> {
  const sums = await rowsOf(
    books,
    'select currency, sum(balance)::text as sum from accounts group by currency having sum(balance) <> 0',
  );
  expect(sums).toEqual([]);
  const drifted = await rowsOf(
    books,
    `select id from accounts where balance <> (select coalesce(sum(amount), 0) from entries where account_id = id)`,
  );
  expect(drifted).toEqual([]);
  expect(await rowsOf(books, `select transaction_id from holds where status = 'held'`)).toEqual([]);
  expect(await rowsOf(books, 'select id from accounts where held <> 0')).toEqual([]);
  const clearing = await rowsOf<{ balance: bigint }>(
    books,
    `select balance from accounts where kind = 'system' and id like '%@clearing.SGD'`,
  );
  expect(total(clearing.map(({ balance }) => balance))).toBe(0n);
}

async function chainsVerify(stack: Pick<Stack, 'appUrls'>): Promise<void> {
  const proofs = await withShards(stack, ({ all }) => Promise.all(all.map(({ db }) => verifyShard(db))));
  expect(proofs.flatMap(({ findings }) => findings)).toEqual([]);
  expect(proofs.every(({ blocks }) => blocks > 0)).toBe(true);
}
