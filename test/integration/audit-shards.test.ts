import { pageOfAllShards } from '../../api/all-shards';
import { auditEvents, placeOf } from '../../ledger/audit';
import { Poster } from '../../ledger/poster';
import { openShards, type Shards } from '../../ledger/shards';
import { cloneShards, type TestDatabase } from '../support/database';
import { silent } from '../support/people';

let databases: TestDatabase[];
let shards: Shards;
beforeAll(async () => {
  databases = await cloneShards(3);
  shards = openShards({ urls: databases.map(({ appUrl }) => appUrl), log: silent, poolSize: 2 });
});
afterAll(async () => {
  await shards.close();
  for (const database of databases) await database.drop();
});

const change = { name: 'nothing', text: 'select 1', values: [] };

/** Several at the same moment on each shard, in one block and in more. */
async function tell(shard: number, times: number[]): Promise<void> {
  for (const time of times) {
    const now = () => new Date(Date.UTC(2100, 0, 1) + time);
    const poster = new Poster({ shard, url: databases[shard]!.appUrl, log: silent, now });
    const record = { kind: 'record' as const, event: `at_${time}`, change, actorId: 'us_0_a' };
    await poster.post([
      { ...record, subjectId: `s_${shard}_a` },
      { ...record, subjectId: `s_${shard}_b` },
    ]);
    await poster.close();
  }
}

async function walk(order: 'oldest' | 'newest', limit: number): Promise<string[]> {
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await pageOfAllShards(shards, { cursor, order, limit }, async (shard, part) => {
      const rows = await auditEvents(shard.db, shard.number, part);
      return rows.map((row) => ({
        place: placeOf(shard.number, row),
        item: `${row.kind} ${row.subject_id} ${row.block} ${row.index}`,
      }));
    });
    seen.push(...page.data);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return seen;
}

test('pages of all shards hold each event once, in order, though many happened at the same moment', async () => {
  await tell(0, [0, 1, 1]);
  await tell(1, [1, 1]);
  await tell(2, [0, 1, 2]);
  const oldest = await walk('oldest', 200);
  expect(new Set(oldest).size).toBe(16);
  expect(oldest.map((line) => line.slice(0, 4))).toEqual([...oldest].map((line) => line.slice(0, 4)).sort());
  expect(await walk('newest', 200)).toEqual([...oldest].reverse());
  for (const limit of [1, 2, 5]) {
    expect(await walk('oldest', limit)).toEqual(oldest);
    expect(await walk('newest', limit)).toEqual([...oldest].reverse());
  }
});
