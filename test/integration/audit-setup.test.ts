import pg from 'pg';
import { recordSetup } from '../../cli/record-setup';
import { MIGRATIONS } from '../../migrations';
import { cloneDatabase } from '../support/database';

test('how a shard was set up and migrated is told of once, however often and from wherever it is asked for', async () => {
  const database = await cloneDatabase();
  const setup = { shard: 0, shardCount: 1, url: database.appUrl, migrations: [...MIGRATIONS] };
  await recordSetup({ ...setup, migrations: [MIGRATIONS[0]!] });
  await Promise.all([recordSetup(setup), recordSetup(setup)]);
  await recordSetup(setup);
  const client = new pg.Client({ connectionString: database.appUrl });
  await client.connect();
  const { rows } = await client.query<{ subject_id: string; kind: string; detail: string }>(
    'select subject_id, kind, detail from events order by block, index',
  );
  await client.end();
  const by = { actor: 'holdfast', role: 'system' };
  expect(rows.map(({ detail, ...row }) => ({ ...row, ...(JSON.parse(detail) as object) }))).toEqual([
    { subject_id: 'shard_0', kind: 'shard_set_up', by, shard: 0, shardCount: 1 },
    ...MIGRATIONS.map((migration) => ({ subject_id: 'shard_0', kind: 'migrated', by, migration })),
  ]);
  await database.drop();
});
