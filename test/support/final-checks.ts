import pg from 'pg';
import {
  blockHash,
  GENESIS_HASH,
  type ChainedEntry,
  type ChainedEvent,
  type ChainedTransaction,
} from '../../ledger/chain';
import { valueTypes } from '../../ledger/postgres';
import type { Told } from './load';
import type { Person } from './people';
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
    await chainVerifies(db);
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

async function sumsAreConserved(db: pg.Client): Promise<void> {
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
}

async function chainVerifies(db: pg.Client): Promise<void> {
  const all = async <T>(text: string, blockOf: (row: T) => bigint) => {
    const { rows } = await db.query(text);
    const byBlock = new Map<bigint, T[]>();
    for (const row of rows as T[]) byBlock.set(blockOf(row), [...(byBlock.get(blockOf(row)) ?? []), row]);
    return (block: bigint) => byBlock.get(block) ?? [];
  };
  type InBlock = { block: bigint };
  const transactions = await all<ChainedTransaction & { created_block: bigint }>(
    'select * from transactions order by created_block, created_index',
    (row) => row.created_block,
  );
  const entries = await all<ChainedEntry & InBlock>('select * from entries order by block, index', (row) => row.block);
  const events = await all<ChainedEvent & InBlock>('select * from events order by block, index', (row) => row.block);
  const { rows: blocks } = await db.query<{ number: bigint; at: Date; previous_hash: Buffer; hash: Buffer }>(
    'select * from blocks order by number',
  );
  let previous: Buffer = GENESIS_HASH;
  for (const [index, { number, at, previous_hash, hash }] of blocks.entries()) {
    expect(number).toBe(BigInt(index + 1));
    expect(previous_hash).toEqual(previous);
    const content = { transactions: transactions(number), entries: entries(number), events: events(number) };
    expect(blockHash(previous, { number, at, ...content })).toEqual(hash);
    previous = hash;
  }
  const { rows: head } = await db.query<{ hash: Buffer }>('select hash from chain_head');
  expect(head[0]!.hash).toEqual(previous);
}
