import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { dataFolder } from '../../cli/embedded/data-folder';
import { packageRoot } from '../../cli/embedded/package-root';
import { freePort } from '../../cli/embedded/ports';
import { startPostgres, type RunningPostgres } from '../../cli/embedded/postgres';
import { ensureRoles } from '../../cli/embedded/postgres-databases';
import { baseBackup, followPrimary } from './base-backup';

const PASSWORDS = { admin: 'admin', owner: 'owner', app: 'app' };

/** A Postgres server with a folder of its own. A test may kill it, and start it again. */
export class PostgresServer {
  private running: RunningPostgres | undefined;
  private port = 0;

  constructor(
    private readonly folder: string,
    private readonly name: string,
  ) {}

  get dataDir(): string {
    return path.join(this.folder, this.name);
  }

  get logFile(): string {
    return path.join(this.folder, `${this.name}.log`);
  }

  async start(): Promise<void> {
    this.port ||= await freePort();
    const { reachableCopies } = dataFolder(path.join(packageRoot(), '.holdfast'));
    this.running = await startPostgres({
      dataDir: this.dataDir,
      port: this.port,
      passwords: PASSWORDS,
      logFile: this.logFile,
      reachableCopies,
      durable: false, // the machine is not killed here, only processes
    });
  }

  /** Once, before anybody else comes. */
  async prepare(): Promise<void> {
    await ensureRoles(this.adminUrl('postgres'), PASSWORDS);
  }

  /** Another server that follows this one, not started yet. */
  async standby(name: string): Promise<PostgresServer> {
    const standby = new PostgresServer(this.folder, name);
    await baseBackup(this.adminUrl('postgres'), { from: this.dataDir, to: standby.dataDir });
    await followPrimary(standby.dataDir, this.adminUrl('postgres'));
    return standby;
  }

  /** Every process of it at once, so that nothing is put in order. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.running!.exited;
  }

  /** It is there, and answers nothing any more. */
  freeze(): void {
    this.signal('SIGSTOP');
  }

  thaw(): void {
    this.signal('SIGCONT');
  }

  private signal(signal: NodeJS.Signals): void {
    const { pid } = this.running!;
    for (const each of [pid, ...childrenOf(pid)]) signalQuietly(each, signal);
  }

  async stop(): Promise<void> {
    await this.running?.stop();
  }

  adminUrl(database: string): string {
    return this.running!.adminUrl(database);
  }

  ownerUrl(database: string): string {
    return this.running!.ownerUrl(database);
  }

  appUrl(database: string): string {
    return this.running!.appUrl(database);
  }
}

export function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended by itself a moment before.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function childrenOf(parent: number): number[] {
  if (!existsSync('/proc/self/stat')) return []; // not Linux: a postmaster's children end when it does
  const isChild = (pid: string) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
    } catch {
      return false;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isChild(name))
    .map(Number);
}
