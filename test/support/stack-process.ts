import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { forgetChild, guardChild } from '../../cli/embedded/guard';
import { packageRoot } from '../../cli/embedded/package-root';
import { exitOf, type Exit } from '../../cli/embedded/processes';
import { ask } from './http';

const STARTING_MS = 90_000;
const RESTART_PAUSE_MS = 300;

export type StackCommand = 'api' | 'worker' | 'bank';

/**
 * One `holdfast api`, `worker` or `bank`, as `holdfast up` runs it: started again when it ends by itself. A test may
 * kill it, freeze it, and start it again.
 */
export class StackProcess {
  /** How often it ended without being told to. */
  deaths: Exit[] = [];
  private child: ChildProcess | undefined;
  private exited: Promise<Exit> = Promise.resolve({ code: 0, signal: null });
  private wanted = false;

  constructor(
    readonly command: StackCommand,
    readonly url: string,
    readonly logFile: string,
    private readonly env: NodeJS.ProcessEnv,
    private readonly release = packageRoot(),
  ) {}

  get pid(): number {
    if (this.child?.pid === undefined) throw new Error(`${this.command} does not run`);
    return this.child.pid;
  }

  /** Resolves when it answers as healthy. */
  async start(): Promise<void> {
    this.wanted = true;
    this.spawn();
    await this.healthy();
  }

  async healthy(): Promise<void> {
    for (const giveUpAt = Date.now() + STARTING_MS; ; await sleep(100)) {
      const answer = await ask(`${this.url}/healthz`, { timeoutMs: 2_000 }).catch(() => undefined);
      if (answer?.status === 200) return;
      if (Date.now() > giveUpAt) throw new Error(`${this.command} is not healthy; its log is ${this.logFile}`);
    }
  }

  /** Ends it by a signal, and resolves with how it ended. It stays down until it is started. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.wanted = false;
    this.signal(signal);
    return this.exited;
  }

  /** As a deployment does it: stopped in order, and started with other settings. */
  async restart(env: Record<string, string>): Promise<void> {
    await this.kill('SIGTERM');
    Object.assign(this.env, env);
    await this.start();
  }

  freeze(): void {
    this.signal('SIGSTOP');
  }

  thaw(): void {
    this.signal('SIGCONT');
  }

  private signal(signal: NodeJS.Signals): void {
    // The handle of the child, not its number: a number may have been given to another process since.
    this.child?.kill(signal);
  }

  private spawn(): void {
    const main = path.join(this.release, 'dist/cli/main.js');
    const log = openSync(this.logFile, 'a');
    const child = spawn(process.execPath, [main, this.command], { env: this.env, stdio: ['ignore', log, log] });
    closeSync(log);
    this.child = child;
    if (child.pid !== undefined) guardChild(child.pid, 'SIGKILL');
    this.exited = exitOf(child);
    void this.exited.then((exit) => this.ended(child, exit));
  }

  private async ended(child: ChildProcess, exit: Exit): Promise<void> {
    if (child.pid !== undefined) forgetChild(child.pid);
    if (!this.wanted) return;
    this.deaths.push(exit);
    await sleep(RESTART_PAUSE_MS);
    if (this.wanted && this.child === child) this.spawn();
  }
}
