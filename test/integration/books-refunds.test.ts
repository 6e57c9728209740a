import type { Command, Outcome, TransactionFacts } from '../../ledger/commands';
import { Poster } from '../../ledger/poster';
import { verifyShard } from '../../ledger/verify';
import { TestBooks } from '../support/books';
import { silent } from '../support/people';

let books: TestBooks;
let other: Poster;
beforeAll(async () => {
  books = await TestBooks.create(2);
  other = new Poster({ shard: 0, url: books.database.appUrl, log: silent });
});
afterAll(async () => {
  await other?.close();
  await books?.close();
});

const refund = (of: TransactionFacts, amountMinor: bigint): Command => {
  const facts = books.facts(of.to!, of.from, amountMinor);
  return { kind: 'transfer', facts: { ...facts, type: 'refund', linkedTo: of.id } };
};
const paid = async (amountMinor: bigint) => {
  const [a, b] = books.wallets as [string, string];
  const facts = books.facts(a, b, amountMinor);
  await books.poster.post([{ kind: 'transfer', facts }]);
  return facts;
};
const refunded = async (id: string) => {
  const { rows } = await books.owner.query<{ refunded: bigint }>('select refunded from transactions where id = $1', [
    id,
  ]);
  return rows[0]!.refunded;
};
const answers = (outcomes: Outcome[]) =>
  outcomes.map((each) => (each.kind === 'transaction' ? (each.reason ?? each.status) : each.kind));
const proveBooks = async () => expect((await verifyShard(books.shards.shard(0).db)).findings).toEqual([]);

test('fifty refunds of one transfer at once, through two posters, give back exactly what fits', async () => {
  const facts = await paid(10_00n);
  const asked = Array.from({ length: 50 }, () => refund(facts, 1_50n));
  const outcomes = await Promise.all(asked.map((each, n) => (n % 2 === 0 ? books.poster : other).post([each])));
  const all = answers(outcomes.flat());
  expect(all.filter((each) => each === 'completed')).toHaveLength(6);
  expect(all.filter((each) => each === 'nothing_left')).toHaveLength(44);
  expect(await refunded(facts.id)).toBe(9_00n);
  await proveBooks();
});

test('fifty refunds in one post, the transfer itself among them, give back exactly what fits', async () => {
  const [a, b] = books.wallets as [string, string];
  const facts = books.facts(a, b, 10_00n);
  const asked = Array.from({ length: 50 }, () => refund(facts, 1_50n));
  const outcomes = await books.poster.post([{ kind: 'transfer', facts }, ...asked]);
  expect(answers(outcomes).filter((each) => each === 'completed')).toHaveLength(7);
  expect(await refunded(facts.id)).toBe(9_00n);
  await proveBooks();
});

test('a refund asked for again gives back once', async () => {
  const facts = await paid(10_00n);
  const once = refund(facts, 4_00n);
  await books.poster.post([once, once]);
  expect(await other.post([once])).toMatchObject([{ status: 'completed', replayed: true }]);
  expect(await refunded(facts.id)).toBe(4_00n);
  await proveBooks();
});

test('the database itself refuses a refund of more than was paid', async () => {
  const { id } = await paid(10_00n);
  await expect(
    books.owner.query('update transactions set refunded = amount + 1 where id = $1', [id]),
  ).rejects.toMatchObject({ constraint: 'transactions_refunded' });
});
