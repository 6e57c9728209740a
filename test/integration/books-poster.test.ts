import type { Command, Outcome } from '../../ledger/commands';
import { Poster } from '../../ledger/poster';
import { verifyShard } from '../../ledger/verify';
import { TestBooks } from '../support/books';
import { silent } from '../support/people';

let books: TestBooks;
let other: Poster;
beforeAll(async () => {
  books = await TestBooks.create(4);
  other = new Poster({ shard: 0, url: books.database.appUrl, log: silent });
});
afterAll(async () => {
  await other?.close();
  await books?.close();
});

const statusOf = (outcome: Outcome | undefined) => (outcome?.kind === 'transaction' ? outcome.status : outcome?.kind);
const count = async (ids: string[]) => {
  const { rows } = await books.owner.query<{ n: bigint }>('select count(*) n from transactions where id = any($1)', [
    ids,
  ]);
  return Number(rows[0]!.n);
};

test('two posters on the same few wallets lose no money and answer every command once', async () => {
  const wallet = (n: number) => books.wallets[n % books.wallets.length]!;
  const commands = Array.from({ length: 300 }, (_, n) =>
    books.transfer(wallet(n), wallet(n + 1 + (n % 3)), BigInt(1 + ((n * 37) % 90)) * 100n),
  );
  const outcomes = await Promise.all(
    commands.map(async (command, n) => {
      // Not all in one commit: the posters are to take turns.
      await new Promise((resume) => setTimeout(resume, n));
      return (n % 2 === 0 ? books.poster : other).post([command]);
    }),
  );
  expect(outcomes.every((each) => each.length === 1)).toBe(true);
  const statuses = outcomes.flat().map(statusOf);
  expect(new Set(statuses)).toEqual(new Set(['completed', 'rejected']));

  const { rows } = await books.owner.query(
    'select sum(balance)::text as sum, min(balance) filter (where kind = $1) >= 0 as fine from accounts',
    ['user'],
  );
  expect(rows).toEqual([{ sum: '0', fine: true }]);
  const { rows: written } = await books.owner.query<{ amount: bigint }>(
    `select entries.amount from entries join transactions t on t.id = transaction_id where t.type = 'transfer' and entries.amount > 0`,
  );
  // The four openings are transfers too.
  expect(written).toHaveLength(statuses.filter((status) => status === 'completed').length + 4);
  const proof = await verifyShard(books.shards.shard(0).db);
  expect(proof.findings).toEqual([]);
  expect(proof.entries).toBe(written.length * 2);
});

test('a command that names an account that is not there fails alone, in its own post and among others', async () => {
  const [a, b] = books.wallets as [string, string];
  const before = books.transfer(a, b, 1n);
  const bad = books.transfer('ac_0_nobody', b, 1n);
  const after = books.transfer(b, a, 1n);
  const asked: Command[][] = [[before, bad, after], [books.transfer(a, b, 1n)], [books.transfer(b, a, 1n)]];
  const outcomes = await Promise.all(asked.map((each) => books.poster.post(each)));
  expect(outcomes.map((each) => each.map(statusOf))).toEqual([
    ['completed', 'trouble', 'completed'],
    ['completed'],
    ['completed'],
  ]);
  expect(await count(asked.flat().map((each) => ('facts' in each ? each.facts.id : '')))).toBe(4);
});

test('two hundred identical commands at once, through two posters, are one transaction', async () => {
  const [a, b] = books.wallets as [string, string];
  const command = books.transfer(a, b, 1n);
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? books.poster : other).post([command])),
  );
  const answers = outcomes.flat().map((each) => (each.kind === 'transaction' ? { ...each, replayed: null } : each));
  expect(new Set(answers.map((each) => JSON.stringify(each))).size).toBe(1);
  expect(outcomes.flat().filter((each) => each.kind === 'transaction' && !each.replayed)).toHaveLength(1);
  expect(statusOf(outcomes[0]![0])).toBe('completed');
});

test('a command asked again after it completed is answered as a replay, and writes nothing', async () => {
  const [a, b] = books.wallets as [string, string];
  const command = books.transfer(a, b, 1n);
  const [first] = await books.poster.post([command]);
  const head = () => books.owner.query('select * from chain_head').then(({ rows }) => rows);
  const before = await head();
  expect(await other.post([command])).toEqual([{ ...first, replayed: true }]);
  expect(await head()).toEqual(before);
});
