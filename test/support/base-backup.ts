import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { postgresUser } from '../../cli/embedded/system-user';

/** Whose content belongs to the running server alone, or comes from elsewhere. */
const EMPTY = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_subtrans',
]);
const LEFT_OUT = /^(postmaster\.(pid|opts)|standby\.signal|pgsql_tmp.*)$/;

/** What pg_basebackup does, which Postgres's embedded build hasn't got: the folder of a server that is in use, copied. */
export async function baseBackup(adminUrl: string, { from, to }: { from: string; to: string }): Promise<void> {
  await withClient(adminUrl, async (client) => {
    await client.query(`select pg_backup_start('a test', true)`);
    copy(from, to);
    const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop()');
    const label = path.join(to, 'backup_label');
    writeFileSync(label, rows[0]!.labelfile, { mode: 0o600 });
    giveToPostgres(to);
  });
}

/** The copy is to be a standby. Its slot has the primary keep whatever it has not seen yet. */
export async function followPrimary(dataDir: string, adminUrl: string): Promise<void> {
  const slot = path.basename(dataDir).replaceAll('-', '_');
  await withClient(adminUrl, (client) => client.query('select pg_create_physical_replication_slot($1, true)', [slot]));
  const settings = `primary_conninfo = '${adminUrl}'\nprimary_slot_name = '${slot}'\n`;
  appendFileSync(path.join(dataDir, 'postgresql.auto.conf'), settings);
  const signal = path.join(dataDir, 'standby.signal');
  writeFileSync(signal, '', { mode: 0o600 });
  giveToPostgres(signal);
}

function copy(from: string, to: string): void {
  mkdirSync(to, { mode: 0o700 });
  if (EMPTY.has(path.basename(from))) return;
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (LEFT_OUT.test(entry.name)) continue;
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) copy(source, target);
    else copyFile(source, target);
  }
}

/** A file that goes away meanwhile, or changes, is set right by the log when the copy starts. */
function copyFile(source: string, target: string): void {
  try {
    copyFileSync(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** A file, or a folder with all that is in it. */
export function giveToPostgres(file: string): void {
  const user = postgresUser();
  if (user) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, file]);
}

async function withClient(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
