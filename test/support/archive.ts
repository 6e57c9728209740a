import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { baseBackup, giveToPostgres } from './base-backup';
import type { PostgresServer } from './postgres-server';
import { until } from './stack';

/** A base backup of a server and its log since then, kept elsewhere: what it takes to go back to any moment. */
export class Archive {
  private readonly base: string;
  private readonly log: string;

  private constructor(
    private readonly server: PostgresServer,
    folder: string,
  ) {
    this.base = path.join(folder, 'base');
    this.log = path.join(folder, 'log');
  }

  /** Has the log archived from now on, for which the server is started again. */
  static async of(server: PostgresServer, folder: string): Promise<Archive> {
    const archive = new Archive(server, folder);
    mkdirSync(archive.log, { recursive: true });
    giveToPostgres(archive.log);
    await archive.asAdmin(async (admin) => {
      await admin.query(`alter system set archive_mode = 'on'`);
      await admin.query(`alter system set archive_command = 'test ! -f ${archive.log}/%f && cp %p ${archive.log}/%f'`);
    });
    await server.stop();
    await server.start();
    return archive;
  }

  /** While the server is in use. */
  async backUp(): Promise<void> {
    await baseBackup(this.server.adminUrl('postgres'), { from: this.server.dataDir, to: this.base });
  }

  /** A moment to go back to: all that is committed by now is before it, and in the archive. */
  async mark(moment: string): Promise<void> {
    await this.asAdmin(async (admin) => {
      await admin.query('select pg_create_restore_point($1)', [moment]);
      const { rows } = await admin.query<{ file: string }>('select pg_walfile_name(pg_switch_wal()) as file');
      await until('the log to be archived', () => readdirSync(this.log).includes(rows[0]!.file));
    });
  }

  /** Starts the server as it was at the moment, whatever it has had since, or has lost. */
  async restore(moment: string): Promise<void> {
    const { dataDir } = this.server;
    rmSync(dataDir, { recursive: true, force: true });
    execFileSync('cp', ['-a', this.base, dataDir]);
    const settings = {
      restore_command: `cp ${this.log}/%f %p`,
      recovery_target_name: moment,
      recovery_target_action: 'promote',
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
    appendFileSync(path.join(dataDir, 'postgresql.auto.conf'), lines.join(''));
    const signal = path.join(dataDir, 'recovery.signal');
    writeFileSync(signal, '');
    giveToPostgres(signal);
    await this.server.start();
    await this.asAdmin((admin) =>
      until('recovery to end', async () => {
        const { rows } = await admin.query<{ over: boolean }>('select not pg_is_in_recovery() as over');
        return rows[0]!.over;
      }),
    );
  }

  private async asAdmin(work: (admin: pg.Client) => Promise<void>): Promise<void> {
    const admin = new pg.Client({ connectionString: this.server.adminUrl('postgres') });
    await admin.connect();
    try {
      await work(admin);
    } finally {
      await admin.end();
    }
  }
}
