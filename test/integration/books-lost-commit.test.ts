import pg from 'pg';
import type { Command } from '../../ledger/commands';
import { Poster } from '../../ledger/poster';
import { verifyShard } from '../../ledger/verify';
import { TestBooks } from '../support/books';
import { silent } from '../support/people';
import { Wire } from '../support/wire';

let books: TestBooks;
let wire: Wire;
let poster: Poster;
beforeAll(async () => {
  books = await TestBooks.create(3);
  wire = await Wire.to(books.database.appUrl);
  poster = new Poster({ shard: 0, url: wire.urlOf(books.database.appUrl), log: silent });
});
afterAll(async () => {
  await poster?.close();
  await wire?.close();
  await books?.close();
});

const transfers = (count: number): Command[] =>
  Array.from({ length: count }, (_, n) => books.transfer(books.wallets[n % 3]!, books.wallets[(n + 1) % 3]!, 1n));
const blocks = async () => {
  const { rows } = await books.owner.query<{ block: bigint }>('select block from chain_head');
  return rows[0]!.block;
};
const proveBooks = async () => expect((await verifyShard(books.shards.shard(0).db)).findings).toEqual([]);

test('a commit whose answer is lost is ours when it is found in the chain: one block, and no replay', async () => {
  const commands = transfers(5);
  await poster.post(transfers(1));
  const before = await blocks();
  wire.cutAt('toClient', 'COMMIT\0');
  const outcomes = await poster.post(commands);
  await wire.met();
  expect(outcomes).toMatchObject(commands.map(() => ({ kind: 'transaction', status: 'completed', replayed: false })));
  expect(await blocks()).toBe(before + 1n);
  const again = await poster.post(commands);
  expect(again).toEqual(outcomes.map((outcome) => ({ ...outcome, replayed: true })));
  await proveBooks();
});

test('a commit that never reached the database is posted anew, once', async () => {
  const commands = transfers(5);
  const before = await blocks();
  wire.cutAt('toServer', 'insert-block');
  const outcomes = await poster.post(commands);
  await wire.met();
  expect(outcomes).toMatchObject(commands.map(() => ({ kind: 'transaction', status: 'completed', replayed: false })));
  expect(await blocks()).toBe(before + 1n);
  await proveBooks();
});

test('a lost commit that is in the chain is ours although another poster has gone on since', async () => {
  const commands = transfers(2);
  wire.holdFrom('toClient', 'COMMIT\0');
  const posted = poster.post(commands);
  await wire.met();
  await books.poster.post(transfers(3));
  // The wire stays silent until the poster takes it for dead; then the poster looks for its block.
  const released = new Promise<void>((resolve) => {
    setTimeout(() => {
      wire.release();
      resolve();
    }, 6_000);
  });
  expect(await posted).toMatchObject(commands.map(() => ({ status: 'completed', replayed: false })));
  await released;
  await proveBooks();
});

test('a command that another process posted first is a replay, lost answer or not', async () => {
  const commands = transfers(2);
  const first = await books.poster.post(commands);
  expect(await poster.post(commands)).toEqual(first.map((outcome) => ({ ...outcome, replayed: true })));
  const mixed = [...commands, ...transfers(1)];
  wire.cutAt('toClient', 'COMMIT\0');
  const outcomes = await poster.post(mixed);
  await wire.met();
  expect(outcomes.map((outcome) => outcome.kind === 'transaction' && outcome.replayed)).toEqual([true, true, false]);
  await proveBooks();
});

test('a session that the server ends between reading and writing leaves no trace, and the post succeeds', async () => {
  const commands = transfers(2);
  const before = await blocks();
  wire.holdFrom('toServer', 'insert-transactions');
  const posted = poster.post(commands);
  await wire.met();
  // As Postgres itself does to a poster that holds the chain for too long.
  const admin = new pg.Client({ connectionString: process.env.HOLDFAST_TEST_POSTGRES_ADMIN_URL! });
  await admin.connect();
  const { rowCount } = await admin.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and state = 'idle in transaction'`,
    [books.database.name],
  );
  await admin.end();
  expect(rowCount).toBe(1);
  wire.release();
  expect(await posted).toMatchObject(commands.map(() => ({ status: 'completed', replayed: false })));
  expect(await blocks()).toBe(before + 1n);
  await proveBooks();
});
