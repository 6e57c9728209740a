import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { forgetChild, guardChild } from '../../cli/embedded/guard';
import { freePort } from '../../cli/embedded/ports';
import { APP_ROLE } from '../../cli/embedded/postgres';
import { ensureDatabase } from '../../cli/embedded/postgres-databases';
import { exitOf, identify, stopProcess } from '../../cli/embedded/processes';
import { startTemporal, type RunningTemporal } from '../../cli/embedded/temporal';
import { findTemporal } from '../../cli/embedded/temporal-cli';
import { answers } from '../../cli/embedded/temporal-client';
import { createBankControl, type BankControl } from '../../bank/simulator/control';
import { migrateShard } from '../../migrations';
import { holdfast, type Said } from './command';
import { PostgresServer, signalQuietly } from './postgres-server';
import { StackProcess, type StackCommand } from './stack-process';

// Jest finds guard.mjs where the code means guard.ts: `moduleFileExtensions` with ts first would do instead of this.
jest.mock('../../cli/embedded/guard', (): unknown => jest.requireActual('../../cli/embedded/guard.ts'));

const BANK_DATABASE = 'bank';
const databaseOf = (shard: number) => `holdfast_${shard}`;
const SECRETS = {
  HOLDFAST_TOKEN_KEY: 'a key for the tokens of fault tests, long enough',
  HOLDFAST_COMMAND_KEY: 'a key for the hashes of commands in fault tests',
  HOLDFAST_BANK_API_KEY: 'the API key of the bank in fault tests and long enough',
  HOLDFAST_BANK_WEBHOOK_SECRETS: 'the secret of webhooks in fault tests and long enough',
  HOLDFAST_SEAL_KEYS: `test:${Buffer.alloc(32, 5).toString('base64')}`,
};
/** Faults are over in seconds here, so what waits for minutes elsewhere waits for seconds. */
const PATIENCE = {
  HOLDFAST_SWEEP_EVERY_MS: '2000',
  HOLDFAST_SWEEP_YOUNG_MS: '2000',
  HOLDFAST_ATTENTION_AFTER_MS: '10000',
  HOLDFAST_SLOW_BEAT_MS: '2000',
  HOLDFAST_GROUP_MAX_AGE_MS: '10000',
  HOLDFAST_RATE_LIMITS: 'none',
};

export interface StackOptions {
  apis?: number;
  workers?: number;
  /** How many databases the users are spread over. */
  shards?: number;
  /** How many Postgres servers those are in, in turn. */
  servers?: number;
  /** A bank, settling so long after it has accepted; without one nobody is there. */
  bank?: { settleAfterMs: number };
  /** More for all of our processes to be told. */
  env?: Record<string, string>;
  /** The folder of the build that runs, whose own command makes the tables. Without it, this one's. */
  release?: string;
  /** Another Temporal than the dev server. */
  temporal?: StartTemporal;
}

export type StartTemporal = (where: { folder: string; port: number }) => Promise<RunningTemporal>;

/** Postgres, Temporal, and any number of our processes, on free ports with a data folder of their own. */
export class Stack {
  readonly secrets = SECRETS;
  readonly processes: StackProcess[] = [];
  temporal!: RunningTemporal;
  private readonly ports = { temporal: 0, bank: 9 };
  private connection: Connection | undefined;

  private constructor(
    readonly folder: string,
    readonly shards: number,
    readonly servers: PostgresServer[],
    private readonly options: Pick<StackOptions, 'env' | 'release' | 'temporal'>,
  ) {}

  static async start(options: StackOptions = {}): Promise<Stack> {
    const { apis = 1, workers = 1, shards = 2, servers = 1, bank } = options;
    const folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-stack-'));
    chmodSync(folder, 0o711); // as root, Postgres runs as a user who has to get in
    const named = Array.from({ length: servers }, (_, n) => new PostgresServer(folder, `postgres-${n}`));
    const stack = new Stack(folder, shards, named, options);
    try {
      await Promise.all([stack.startPostgres(), stack.startTemporal()]);
      await stack.prepareBooks();
      if (bank) stack.ports.bank = await freePort();
      const starting = Array.from({ length: workers }, () => stack.addWorker());
      await Promise.all([...starting, ...Array.from({ length: apis }, () => stack.addApi())]);
      if (bank) await stack.addBank(bank.settleAfterMs);
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  get apis(): StackProcess[] {
    return this.processes.filter(({ command }) => command === 'api');
  }

  get workers(): StackProcess[] {
    return this.processes.filter(({ command }) => command === 'worker');
  }

  /** The one there is, of those that were asked for. */
  get bank(): StackProcess {
    return this.processes.find(({ command }) => command === 'bank')!;
  }

  get bankControl(): BankControl {
    return createBankControl({ url: this.bank.url, apiKey: SECRETS.HOLDFAST_BANK_API_KEY });
  }

  /** One for each shard, in order. */
  get appUrls(): string[] {
    return this.eachShard((shard) => this.serverOf(shard).appUrl(databaseOf(shard)));
  }

  /** As the owner of the books, who may do what no product code does. */
  get ownerUrls(): string[] {
    return this.eachShard((shard) => this.serverOf(shard).ownerUrl(databaseOf(shard)));
  }

  addApi(env: Record<string, string> = {}, release = this.options.release): Promise<StackProcess> {
    return this.add('api', 'PORT', env, { release });
  }

  addWorker(env: Record<string, string> = {}, release = this.options.release): Promise<StackProcess> {
    return this.add('worker', 'HOLDFAST_WORKER_HEALTH_PORT', env, { release });
  }

  /** A command as people run it beside these processes, as the owner of the tables. */
  run(args: string[], release = this.options.release): Promise<Said> {
    return holdfast(args, { ...this.environment(), HOLDFAST_OWNER_DATABASE_URLS: this.ownerUrls.join(',') }, release);
  }

  /** It tells the first API what happens. */
  private async addBank(settleAfterMs: number): Promise<void> {
    const [server] = this.servers as [PostgresServer];
    await ensureDatabase(server.adminUrl('postgres'), BANK_DATABASE);
    const env = {
      HOLDFAST_BANK_DATABASE_URL: server.ownerUrl(BANK_DATABASE),
      HOLDFAST_BANK_SETTLE_AFTER_MS: String(settleAfterMs),
      HOLDFAST_BANK_WEBHOOK_URL: `${this.apis[0]!.url}/v1/bank/webhooks`,
    };
    await this.add('bank', 'HOLDFAST_BANK_PORT', env, { port: this.ports.bank, release: this.options.release });
  }

  private async add(
    command: StackCommand,
    portName: string,
    more: Record<string, string>,
    { port: given, release }: { port?: number; release?: string },
  ): Promise<StackProcess> {
    const port = given ?? (await freePort());
    const inherited = Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_|TEMPORAL_|PORT$|HOST$)/.test(name));
    const log = path.join(this.folder, `${command}-${randomBytes(3).toString('hex')}.log`);
    const env = { ...Object.fromEntries(inherited), ...this.environment(), [portName]: String(port), ...more };
    const added = new StackProcess(command, `http://127.0.0.1:${port}`, log, env, release);
    this.processes.push(added);
    await added.start();
    return added;
  }

  private environment(): Record<string, string> {
    return {
      ...SECRETS,
      ...PATIENCE,
      ...this.options.env,
      HOLDFAST_BANK_URL: `http://127.0.0.1:${this.ports.bank}`,
      HOLDFAST_DATA_DIR: path.join(this.folder, 'none'),
      HOLDFAST_ENV_FILE: os.devNull,
      HOLDFAST_DATABASE_URLS: this.appUrls.join(','),
      TEMPORAL_ADDRESS: this.temporal.address,
    };
  }

  async startPostgres(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.start()));
  }

  async killPostgres(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill()));
  }

  async startTemporal(): Promise<void> {
    const port = (this.ports.temporal ||= await freePort());
    const { folder } = this;
    const devServer: StartTemporal = () =>
      startTemporal({ dbFile: this.temporalFile, port, logFile: path.join(folder, 'temporal.log') });
    this.temporal = await (this.options.temporal ?? devServer)({ folder, port });
  }

  /** A Temporal that knows nothing of Holdfast: no search attributes, which `startTemporal` would have registered. */
  async startStrangeTemporal(): Promise<void> {
    const { port } = this.temporal;
    const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--headless'];
    const log = openSync(path.join(this.folder, 'temporal.log'), 'a');
    const child = spawn(await findTemporal(), [...args, '--log-level', 'error', '--db-filename', this.temporalFile], {
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const pid = child.pid!;
    guardChild(pid, 'SIGKILL');
    const exited = exitOf(child);
    void exited.then(() => forgetChild(pid));
    const identity = identify(pid);
    this.temporal = { ...this.temporal, pid, exited, stop: () => stopProcess(identity, []) };
    const server = { connectionOptions: { address: this.temporal.address }, namespace: 'default' };
    await until('Temporal to answer', () => answers(server));
  }

  async killTemporal(): Promise<void> {
    signalQuietly(this.temporal.pid, 'SIGKILL');
    await this.temporal.exited;
  }

  wipeTemporal(): void {
    for (const end of ['', '-wal', '-shm']) rmSync(this.temporalFile + end, { force: true });
  }

  async client(): Promise<Client> {
    this.connection ??= await Connection.connect({ address: this.temporal.address });
    return new Client({ connection: this.connection });
  }

  /** Everything this started, also when a test has failed; logs stay where HOLDFAST_KEEP_LOGS asks for them. */
  async stop(): Promise<void> {
    await this.connection?.close();
    await Promise.all(this.processes.map((each) => each.kill('SIGKILL')));
    await Promise.all([this.temporal?.stop(), ...this.servers.map((server) => server.stop())]);
    if (!process.env.HOLDFAST_KEEP_LOGS) rmSync(this.folder, { recursive: true, force: true });
  }

  private get temporalFile(): string {
    return path.join(this.folder, 'temporal.sqlite');
  }

  private async prepareBooks(): Promise<void> {
    const { shards: shardCount, ownerUrls } = this;
    await Promise.all(this.servers.map((server) => server.prepare()));
    const prepare = async (shard: number) => {
      await ensureDatabase(this.serverOf(shard).adminUrl('postgres'), databaseOf(shard));
      if (this.options.release !== undefined) return;
      await migrateShard({ ownerUrl: ownerUrls[shard]!, appRole: APP_ROLE, shard, shardCount });
    };
    await Promise.all(this.eachShard(prepare));
    if (this.options.release !== undefined) await this.migrate();
  }

  async migrate(release = this.options.release): Promise<void> {
    const { code, out, err } = await this.run(['migrate'], release);
    if (code !== 0) throw new Error(`The migrations failed: ${out}${err}`);
  }

  private serverOf(shard: number): PostgresServer {
    return this.servers[shard % this.servers.length]!;
  }

  private eachShard<T>(work: (shard: number) => T): T[] {
    return Array.from({ length: this.shards }, (_, shard) => work(shard));
  }
}

export async function until(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 90_000): Promise<void> {
  for (const giveUpAt = Date.now() + withinMs; !(await isSo()); await sleep(50)) {
    if (Date.now() > giveUpAt) throw new Error(`waited ${withinMs} ms for ${what}, in vain`);
  }
}
