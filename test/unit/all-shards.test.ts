import { pageOfAllShards } from '../../api/all-shards';
import { Problem } from '../../api/problems';
import type { PlacedPage } from '../../ledger/places';
import { Shards, type Shard } from '../../ledger/shards';

/** Rows as each shard has them, oldest first; two shards wrote at the same moment. */
const ROWS = [[1, 4, 4, 9], [2, 4, 7], [], [3, 4, 5, 6, 8]].map((times, shard) =>
  times.map((at, index) => ({ at, shard, id: `id_${index}` })),
);

const shards = new Shards(ROWS.map((_, number) => ({ number }) as Shard));

async function read({ number }: Shard, { after, newestFirst, limit }: PlacedPage) {
  const way = newestFirst ? -1 : 1;
  const isAfter = (row: { at: number; shard: number; id: string }) => {
    if (!after) return true;
    const byTime = row.at - after.at.getTime() || row.shard - after.shard;
    return (byTime || (row.id > after.id ? 1 : row.id < after.id ? -1 : 0)) * way > 0;
  };
  const rows = newestFirst ? [...ROWS[number]!].reverse() : ROWS[number]!;
  return rows
    .filter(isAfter)
    .slice(0, limit)
    .map((row) => ({ place: { ...row, at: new Date(row.at) }, item: row }));
}

const all = ROWS.flat().sort((one, other) => one.at - other.at || one.shard - other.shard);

describe('a list over all shards', () => {
  test.each([1, 2, 3, 5, 100])('in pages of %i shows everything once, in order, either end first', async (limit) => {
    for (const order of ['oldest', 'newest'] as const) {
      const seen: unknown[] = [];
      let cursor: string | undefined;
      do {
        const page = await pageOfAllShards(shards, { cursor, order, limit }, read);
        seen.push(...page.data);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      expect(seen).toEqual(order === 'oldest' ? all : [...all].reverse());
    }
  });

  test('names the shard that is down, rather than leave its part out', async () => {
    const down = async (shard: Shard, page: PlacedPage) => {
      if (shard.number === 2) throw Object.assign(new Error(), { code: 'ECONNREFUSED' });
      return read(shard, page);
    };
    const failure = pageOfAllShards(shards, { order: 'oldest', limit: 5 }, down);
    await expect(failure).rejects.toMatchObject({ code: 'shard_unavailable', message: 'Shard 2 is not reachable.' });
  });

  test('takes no cursor but its own', async () => {
    const text = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const cursor of ['', 'x', text([]), text(['newest', 1, 0, 'id']), text(['oldest', -1, 0, 'id'])]) {
      await expect(pageOfAllShards(shards, { cursor, order: 'oldest', limit: 5 }, read)).rejects.toThrow(Problem);
    }
  });
});
