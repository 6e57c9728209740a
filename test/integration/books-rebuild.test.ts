import { rebuildBooks } from '../../cli/books';
import { writeSnapshot } from '../../ledger/snapshots';
import { verifyShard } from '../../ledger/verify';
import { BANK, TestBooks } from '../support/books';

let books: TestBooks;
beforeEach(async () => {
  books = await TestBooks.create(2);
});
afterEach(() => books.close());

async function rebuild(
  options: { repair?: boolean; fromSnapshot?: boolean } = {},
): Promise<{ isGood: boolean; lines: string[] }> {
  const lines: string[] = [];
  const url = books.database.appUrl;
  const isGood = await rebuildBooks({ shards: [{ url, ownerUrl: undefined }] }, options, (line) => lines.push(line));
  return { isGood, lines };
}

/** What a snapshot says of the accounts that moved since the one before. */
const snapshotAt = async (block: bigint) =>
  (
    await books.owner.query<{ account_id: string; balance: bigint }>(
      'select account_id, balance from snapshot_balances where block = $1',
      [block],
    )
  ).rows.map(({ account_id, balance }) => [account_id, balance]);

const head = async () => (await books.owner.query<{ block: bigint }>('select block from chain_head')).rows[0]!.block;

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

test('a snapshot has what every account had that moved since the one before', async () => {
  const [a, b] = books.wallets as [string, string];
  const { db } = books.shards.shard(0);
  expect(await writeSnapshot(db)).toEqual({ block: await head(), isNewest: true });
  expect(await writeSnapshot(db)).toBeUndefined();
  expect((await snapshotAt(await head())).sort()).toEqual(
    [
      [BANK, -200_00n],
      [a, 100_00n],
      [b, 100_00n],
    ].sort(),
  );

  await books.poster.post([books.transfer(BANK, a, 7n)]);
  await books.poster.post([books.transfer(a, BANK, 9n)]);
  await writeSnapshot(db);
  expect((await snapshotAt(await head())).sort()).toEqual(
    [
      [BANK, -199_98n],
      [a, 99_98n],
    ].sort(),
  );
});

test('snapshots that are late catch up in several', async () => {
  const [a, b] = books.wallets as [string, string];
  for (let amount = 1n; amount <= 4n; amount += 1n) await books.poster.post([books.transfer(a, b, amount)]);
  const newest = await head();
  const { db } = books.shards.shard(0);
  const written = [];
  for (let isNewest = false; !isNewest;) {
    const snapshot = (await writeSnapshot(db, 4))!;
    written.push(snapshot);
    isNewest = snapshot.isNewest;
  }
  // The first has the four entries of the wallets' money, or as many blocks as have no more; then two blocks of two each.
  expect(written.map(({ block, isNewest }) => [newest - block, isNewest])).toEqual([
    [4n, false],
    [2n, false],
    [0n, true],
  ]);
  expect((await snapshotAt(newest)).sort()).toEqual(
    [
      [a, 90_00n + 9_90n],
      [b, 100_10n],
    ].sort(),
  );
  expect((await rebuild()).isGood).toBe(true);
});

test('from a snapshot, balances are computed and repaired as from zero', async () => {
  const [a, b] = books.wallets as [string, string];
  await writeSnapshot(books.shards.shard(0).db);
  const block = await head();
  await books.poster.post([books.transfer(a, b, 7n)]);
  const before = await standing(a);
  await books.owner.query(`update accounts set balance = balance + 5 where id = $1`, [a]);
  const fromZero = await rebuild();
  const fromSnapshot = await rebuild({ fromSnapshot: true });
  expect(fromSnapshot.lines[0]).toBe(fromZero.lines[0]);
  expect(fromSnapshot.lines[0]).toContain(`${a} has 9998, 0 of it held; should be 9993, 0 held`);
  expect(fromSnapshot.lines.at(-1)).toMatch(new RegExp(`computed anew from the snapshot at block ${block}$`));
  expect((await rebuild({ fromSnapshot: true, repair: true })).isGood).toBe(true);
  expect(await standing(a)).toEqual(before);
  expect(await rebuild()).toMatchObject({ isGood: true });
});

test('a snapshot that was changed by hand is found from zero', async () => {
  const [a] = books.wallets as [string, string];
  await writeSnapshot(books.shards.shard(0).db);
  const block = await head();
  await books.owner.query('update snapshot_balances set balance = balance + 1 where account_id = $1', [a]);
  const { isGood, lines } = await rebuild();
  expect({ isGood, line: lines.at(-1) }).toEqual({
    isGood: false,
    line: `${a} has 10001 in the snapshot at block ${block}; should be 10000`,
  });
});
