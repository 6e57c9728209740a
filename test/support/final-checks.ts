import pg from 'pg';
import { valueTypes } from '../../ledger/postgres';
import { verifyShard } from '../../ledger/verify';
import { differencesFromBank } from './bank-books';
import type { Told } from './load';
import { withShards, type Person } from './people';
import { until, type Stack } from './stack';

interface Facts {
  people: Person[];
  /** What clients were told of every key they sent. */
  told: Map<string, Told>;
}

/** What must be true of the books whatever happened: held against what clients were told, not against itself. */
export async function checkBooks(stack: Stack, { people, told }: Facts): Promise<void> {
  const db = new pg.Client({ connectionString: stack.appUrl, types: valueTypes });
  await db.connect();
  try {
    await until('nothing to be pending', async () => (await openIn(db)) === 0);
    await eachKeyIsOneTransaction(db, told);
    await balancesAreWhatWasTold(db, people, told);
    await sumsAreConserved(db);
    await chainVerifies(stack);
  } finally {
    await db.end();
  }
}

/**
 * What must be true of payments once they have ended: the bank's books are ours, but for `besides`, which people know of;
 * nothing is open, held, or lost from the chain.
 */
export async function checkPayments(stack: Stack, besides: Record<string, bigint> = {}): Promise<void> {
  const db = new pg.Client({ connectionString: stack.appUrl, types: valueTypes });
  await db.connect();
  try {
    await until('nothing to be pending', async () => (await openIn(db)) === 0);
    expect(await differencesFromBank(db, stack.bankControl)).toEqual(besides);
    await sumsAreConserved(db);
    await chainVerifies(stack);
  } finally {
    await db.end();
  }
}

async function openIn(db: pg.Client): Promise<number> {
  const { rows } = await db.query<{ n: bigint }>(`select count(*) n from transactions where completed_at is null`);
  return Number(rows[0]!.n);
}

async function eachKeyIsOneTransaction(db: pg.Client, told: Map<string, Told>): Promise<void> {
  const { rows } = await db.query<{ id: string; status: string; entries: bigint }>(
    `select t.id, t.status, count(e.block) as entries from transactions t
     left join entries e on e.transaction_id = t.id where t.type = 'transfer' group by t.id`,
  );
  const line = (id: string, status: string) => `${id} ${status} with ${status === 'completed' ? 2 : 0} entries`;
  const wanted = [...told.values()].map(({ wish, status }) => line(wish.id, status)).sort();
  expect(rows.map(({ id, status, entries }) => `${id} ${status} with ${entries} entries`).sort()).toEqual(wanted);
}

async function balancesAreWhatWasTold(db: pg.Client, people: Person[], told: Map<string, Told>): Promise<void> {
  const expected = new Map(people.map(({ accountId, openingMinor }) => [accountId, openingMinor]));
  const add = (account: string, amount: bigint) => expected.set(account, expected.get(account)! + amount);
  for (const { wish, status } of told.values()) {
    if (status !== 'completed') continue;
    add(wish.person.accountId, -wish.amountMinor);
    add(wish.to.accountId, wish.amountMinor);
  }
  const { rows } = await db.query<{ id: string; balance: bigint; held: bigint }>(
    `select id, balance, held from accounts where kind = 'user'`,
  );
  expect(new Map(rows.map(({ id, balance }) => [id, balance]))).toEqual(expected);
  expect(rows.filter(({ held }) => held !== 0n)).toEqual([]);
}

export async function sumsAreConserved(db: pg.Client): Promise<void> {
  const { rows: sums } = await db.query<{ currency: string; sum: string }>(
    'select currency, sum(balance)::text as sum from accounts group by currency having sum(balance) <> 0',
  );
  expect(sums).toEqual([]);
  const { rows: drifted } = await db.query(
    `select id from accounts where balance <> (select coalesce(sum(amount), 0) from entries where account_id = id)`,
  );
  expect(drifted).toEqual([]);
  const { rows: held } = await db.query(`select from holds where status = 'held'`);
  expect(held).toEqual([]);
  const { rows: reserved } = await db.query('select id from accounts where held <> 0');
  expect(reserved).toEqual([]);
}

async function chainVerifies(stack: Stack): Promise<void> {
  const { findings, blocks } = await withShards(stack, ({ all }) => verifyShard(all[0]!.db));
  expect(findings).toEqual([]);
  expect(blocks).toBeGreaterThan(0);
}
