import { SYSTEM } from '../ledger/by';
import { Poster } from '../ledger/poster';
import { record } from '../ledger/record';

const log = { info() {}, warn() {}, error() {} };

/** What changes nothing itself finds out, under the chain's lock, what nobody has told yet. */
const UNTOLD_SHARD = `
  select shard from shard_identity where not exists (
    select from events where subject_id = $1 and kind = 'shard_set_up')`;
const UNTOLD_MIGRATION = `
  select name from kysely_migration where name = $2 and not exists (
    select from events where subject_id = $1 and kind = 'migrated' and detail::jsonb ->> 'migration' = $2)`;

/** Tells the shard's chain how it was set up and migrated, as far as it doesn't say so yet. */
export async function recordSetup(of: { shard: number; shardCount: number; url: string; migrations: string[] }) {
  const { shard, shardCount, url, migrations } = of;
  const poster = new Poster({ shard, url, log });
  const about = { subjectId: `shard_${shard}`, ...SYSTEM };
  try {
    const isSetUp = { name: 'untold-shard', text: UNTOLD_SHARD, values: [about.subjectId] };
    await record({ poster }, { ...about, event: 'shard_set_up', detail: { shard, shardCount }, change: isSetUp });
    for (const migration of migrations) {
      const ran = { name: 'untold-migration', text: UNTOLD_MIGRATION, values: [about.subjectId, migration] };
      await record({ poster }, { ...about, event: 'migrated', detail: { migration }, change: ran });
    }
  } finally {
    await poster.close();
  }
}
