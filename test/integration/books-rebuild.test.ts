import { rebuildBooks } from '../../cli/books';
import { verifyShard } from '../../ledger/verify';
import { TestBooks } from '../support/books';

let books: TestBooks;
beforeEach(async () => {
  books = await TestBooks.create(2);
});
afterEach(() => books.close());

async function rebuild(options: { repair?: boolean } = {}): Promise<{ isGood: boolean; lines: string[] }> {
  const lines: string[] = [];
  const url = books.database.appUrl;
  const isGood = await rebuildBooks({ shards: [{ url, ownerUrl: undefined }] }, options, (line) => lines.push(line));
  return { isGood, lines };
}

const standing = async (id: string) =>
  (await books.owner.query(`select balance, held from accounts where id = $1`, [id])).rows[0] as object;

test('books that are right are left as they are', async () => {
  const { isGood, lines } = await rebuild({ repair: true });
  expect({ isGood, lines }).toMatchObject({ isGood: true, lines: [expect.stringMatching(/^shard 0: \d+ accounts/)] });
});

test('a balance and a hold changed by hand are named, and set right with a trail', async () => {
  const [a, b] = books.wallets as [string, string];
  await books.poster.post([books.transfer(a, b, 7n)]);
  const [before, beforeOther] = [await standing(a), await standing(b)];
  await books.owner.query(`update accounts set balance = balance + 5 where id = $1`, [a]);
  await books.owner.query(`update accounts set held = 1 where id = $1`, [b]);

  const looked = await rebuild();
  expect(looked.isGood).toBe(false);
  expect(looked.lines.filter((line) => line.includes('should be')).map((line) => line.split(' ')[0])).toEqual(
    [a, b].sort(),
  );
  expect(await standing(a)).not.toEqual(before);

  expect((await rebuild({ repair: true })).isGood).toBe(true);
  expect([await standing(a), await standing(b)]).toEqual([before, beforeOther]);
  expect((await rebuild()).lines).toHaveLength(1);
  expect((await verifyShard(books.shards.shard(0).db)).findings).toEqual([]);
  const { rows } = await books.owner.query<{ subject_id: string; detail: string }>(
    `select subject_id, detail from events where kind = 'balance_repaired' order by subject_id`,
  );
  expect(rows.map(({ subject_id }) => subject_id)).toEqual([a, b].sort());
  expect(JSON.parse(rows.find(({ subject_id }) => subject_id === b)!.detail)).toMatchObject({
    by: { actor: 'holdfast', role: 'system' },
    was: { held: '1' },
    is: { held: '0' },
  });
});
