import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { identify, isRunning, type ProcessIdentity } from '../../cli/embedded/processes';
import type { State } from '../../cli/state';
import type { ProcessStatus, Status } from '../../cli/status';

jest.setTimeout(120_000);

const MAIN = path.join(__dirname, '../../dist/cli/main.js');
const PORTS = [
  'PORT',
  'HOLDFAST_BANK_PORT',
  'HOLDFAST_TEMPORAL_PORT',
  'HOLDFAST_TEMPORAL_UI_PORT',
  'HOLDFAST_POSTGRES_PORT',
];

/** One `holdfast up` with a data folder and ports of its own. */
class Instance {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-up-'));
  process!: ChildProcess;
  output = '';

  constructor() {
    chmodSync(this.folder, 0o711); // as root, Postgres runs as a user who has to get in
  }

  env(more: Record<string, string> = {}): NodeJS.ProcessEnv {
    const clean = Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_|TEMPORAL_|PORT$|HOST$)/.test(name));
    const free = Object.fromEntries(PORTS.map((name) => [name, '0']));
    const own = { HOLDFAST_DATA_DIR: this.folder, HOLDFAST_ENV_FILE: os.devNull, ...free };
    return { ...Object.fromEntries(clean), ...own, ...more };
  }

  async start(more: Record<string, string> = {}): Promise<void> {
    this.output = '';
    const child = spawn(process.execPath, [MAIN, 'up'], { env: this.env(more), stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.process = child;
    let ended = false;
    child.once('close', () => (ended = true));
    await until('the banner', () => {
      if (ended) throw new Error(`up ended with ${child.exitCode}:\n${this.output}`);
      return this.output.includes('Ctrl-C stops it');
    });
  }

  run(...args: string[]): Promise<{ code: number; output: string }> {
    return this.runWith({}, ...args);
  }

  runWith(more: Record<string, string>, ...args: string[]): Promise<{ code: number; output: string }> {
    return new Promise((resolve) => {
      execFile(process.execPath, [MAIN, ...args], { env: this.env(more) }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, output: stdout + stderr });
      });
    });
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.run('status', '--json')).output) as Status;
  }

  async find(name: ProcessStatus['name']): Promise<ProcessStatus> {
    return (await this.status()).processes.find((each) => each.name === name)!;
  }

  async identities(): Promise<ProcessIdentity[]> {
    return (await this.status()).processes.map(({ pid }) => identify(pid!));
  }

  /** Of the first shard's database. */
  async owner(): Promise<pg.Client> {
    const secrets = JSON.parse(readFileSync(path.join(this.folder, 'secrets.json'), 'utf8')) as {
      postgres: { owner: string };
    };
    const { port } = await this.find('postgres');
    const owner = new pg.Client(`postgres://holdfast_owner:${secrets.postgres.owner}@127.0.0.1:${port}/holdfast_0`);
    await owner.connect();
    return owner;
  }

  /** Sends a signal and resolves with how it ended. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return new Promise((resolve) => {
      this.process.once('exit', (code, how) => resolve({ code, signal: how }));
      this.process.kill(signal);
    });
  }

  async remove(): Promise<void> {
    if (this.process?.exitCode === null && this.process.signalCode === null) await this.end('SIGTERM');
    expect((await this.run('reset')).code).toBe(0);
    expect(existsSync(this.folder)).toBe(false);
  }
}

async function until(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  for (const giveUpAt = Date.now() + withinMs; !(await isSo()); await sleep(100)) {
    if (Date.now() > giveUpAt) throw new Error(`waited ${withinMs} ms for ${what}, in vain`);
  }
}

let instance: Instance;
beforeAll(async () => {
  if (!existsSync(MAIN)) throw new Error('dist/ is missing: `npm test` builds it, `npx jest` alone does not');
  instance = new Instance();
  await instance.start();
});
afterAll(() => instance.remove());

test('status --json lists five healthy processes, each with its pid and port', async () => {
  const { processes } = await instance.status();
  expect(processes.map(({ name, health }) => [name, health])).toEqual([
    ['postgres', 'healthy'],
    ['temporal', 'healthy'],
    ['bank', 'healthy'],
    ['api', 'healthy'],
    ['worker', 'healthy'],
  ]);
  for (const { pid, port } of processes) {
    expect(isRunning(identify(pid!))).toBe(true);
    expect(port).toBeGreaterThan(0);
  }
  expect((await instance.run('status')).code).toBe(0);
});

test('the banner has the URLs, the demo users with tokens, and one curl that moves money', () => {
  expect(instance.output).toMatch(/API docs +http:\/\/localhost:\d+\/docs/);
  expect(instance.output).toMatch(/Temporal Web UI +http:\/\/localhost:\d+/);
  for (const name of ['yunus', 'nick', 'andrew', 'house', 'ops', 'ops2'])
    expect(instance.output).toMatch(new RegExp(`${name} +ey`));
  expect(instance.output).toMatch(/curl [^]*Idempotency-Key[^]*"from":"house.SGD","to":"yunus.SGD"/);
});

test('the bank simulator keeps its own books, where the application has no entry', async () => {
  const { port } = await instance.find('bank');
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  expect(instance.output).toContain(`Bank simulator   http://127.0.0.1:${port}`);
  const secrets = JSON.parse(readFileSync(path.join(instance.folder, 'secrets.json'), 'utf8')) as {
    postgres: { app: string };
    bank: { database: string };
  };
  const { port: postgres } = await instance.find('postgres');
  const enter = async (user: string, password: string, database: string) => {
    const client = new pg.Client({ host: '127.0.0.1', port: postgres!, user, password, database });
    await client.connect();
    await client.end();
  };
  await enter('holdfast_bank', secrets.bank.database, 'holdfast_bank');
  await expect(enter('holdfast_app', secrets.postgres.app, 'holdfast_bank')).rejects.toThrow(/permission denied/);
  await expect(enter('holdfast_bank', secrets.bank.database, 'holdfast_0')).rejects.toThrow(/permission denied/);
});

test('only its owner can read the secrets', () => {
  expect(statSync(path.join(instance.folder, 'secrets.json')).mode & 0o777).toBe(0o600);
});

test('doctor finds nothing wrong with a healthy instance', async () => {
  const { code, output } = await instance.run('doctor');
  expect(output).not.toContain('PROBLEM');
  expect(output).toMatch(/Temporal server \d+\.\d+\.\d+/);
  expect(output).toMatch(/SQL of the API that takes longest: .+ ms on average of \d+/);
  expect(code).toBe(0);
});

test('API and worker show their figures, and those of Temporal’s SDK beside them', async () => {
  const { ports } = JSON.parse(readFileSync(path.join(instance.folder, 'state.json'), 'utf8')) as State;
  for (const port of [ports.metrics, ports.worker]) {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    for (const metric of ['holdfast_sql_seconds_count', 'temporal_request', 'process_resident_memory_bytes']) {
      expect(text).toMatch(new RegExp(`^${metric}(\\{.*\\})? [1-9]`, 'm'));
    }
  }
});

test('doctor names months ahead that are not made yet', async () => {
  const owner = await instance.owner();
  try {
    const month = `to_char(now() at time zone 'UTC' + interval '2 months', '_YYYY_MM')`;
    const { rows } = await owner.query<{ name: string }>(`select 'entries' || ${month} as name`);
    await owner.query(`drop table ${rows[0]!.name}`);
    const { code, output } = await instance.run('doctor');
    expect(code).toBe(1);
    expect(output).toContain(`PROBLEM Shard 0 has no tables yet for months ahead: ${rows[0]!.name}`);
  } finally {
    await owner.query('select make_months(now(), 3)');
    await owner.end();
  }
});

test.each<{ killed: ProcessStatus['name'][] }>([
  { killed: ['api', 'worker', 'bank'] },
  { killed: ['temporal', 'postgres'] },
])('$killed come back after SIGKILL, where they were, and it is said', async ({ killed }) => {
  const before = (await instance.status()).processes.filter(({ name }) => killed.includes(name));
  for (const { pid } of before) process.kill(pid!, 'SIGKILL');
  const isNew = ({ name, pid, port }: ProcessStatus) => {
    const old = before.find((each) => each.name === name);
    return old === undefined || (pid !== null && pid !== old.pid && port === old.port);
  };
  await until('all to be back', async () => {
    const { processes } = await instance.status();
    return processes.every((each) => isNew(each) && each.health === 'healthy');
  });
  for (const { name, pid } of before) {
    expect(instance.output).toContain(`${name} (pid ${pid}) ended: killed by SIGKILL; starting it again`);
  }
});

test('a second instance on the same data folder is refused in one sentence', async () => {
  const { code, output } = await instance.run('up');
  expect(code).toBe(1);
  expect(output).toContain(
    `The data folder ${instance.folder} is in use by another Holdfast (pid ${instance.process.pid})`,
  );
});

test('reset refuses while an instance is running', async () => {
  const { code, output } = await instance.run('reset');
  expect(code).toBe(1);
  expect(output).toContain('Stop it first');
  expect(existsSync(path.join(instance.folder, 'secrets.json'))).toBe(true);
});

test('a port in use is named, with the variable that changes it, and who has it when that is us', async () => {
  const api = await instance.find('api');
  const other = new Instance();
  const stranger = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => stranger.once('listening', resolve));
  const { port } = stranger.address() as net.AddressInfo;
  try {
    const ours = await other.runWith({ PORT: String(api.port) }, 'up');
    expect(ours.code).toBe(1);
    expect(ours.output).toContain(`Port ${api.port}, meant for the API, is in use by another`);
    expect(ours.output).toContain('PORT=<port>');
    const theirs = await other.runWith({ HOLDFAST_TEMPORAL_PORT: String(port) }, 'up');
    expect(theirs.code).toBe(1);
    expect(theirs.output).toContain(`Port ${port}, meant for Temporal, is in use by another`);
    expect(theirs.output).toContain('HOLDFAST_TEMPORAL_PORT=<port>');
  } finally {
    stranger.close();
    await other.remove();
  }
});

test('a database that is too new or too old is refused, with what to do; one that is newer, and fit for us, is not', async () => {
  const owner = await instance.owner();
  try {
    await owner.query(`insert into kysely_migration values ('9999-later', 'now')`);
    const [migrated, looked] = await Promise.all(['migrate', 'doctor'].map((command) => instance.run(command)));
    expect([migrated!.code, migrated!.output]).toEqual([0, expect.stringContaining('still runs on it: 9999-later')]);
    expect([looked!.code, looked!.output]).toEqual([0, expect.stringContaining('still runs on it: 9999-later')]);

    await owner.query(`update kysely_migration set name = '9999-later-since-9998' where name = '9999-later'`);
    const newer = await Promise.all(['api', 'worker', 'migrate'].map((command) => instance.run(command)));
    for (const { code, output } of newer)
      expect([code, output]).toEqual([
        1,
        expect.stringContaining('too new for this Holdfast: it has 9999-later-since'),
      ]);
    await owner.query(`delete from kysely_migration where name like '9999%'`);

    await owner.query(`update kysely_migration set name = 'x' || name`);
    const { code, output } = await instance.run('worker');
    expect([code, output]).toEqual([1, expect.stringContaining('is older than this Holdfast')]);
    expect(output).toContain('npx holdfast migrate');
    expect((await instance.run('doctor')).output).toMatch(/PROBLEM.*is older than this Holdfast/);
  } finally {
    await owner.query(`update kysely_migration set name = substr(name, 2) where name like 'x%'`);
    await owner.end();
  }
});

test('servers that can not be reached are named, with what to do', async () => {
  const lost = {
    HOLDFAST_DATABASE_URLS: 'postgres://app:secret@127.0.0.1:1/holdfast_0',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
  };
  const [doctor, books, engine] = await Promise.all([
    instance.runWith(lost, 'doctor'),
    instance.runWith({ HOLDFAST_DATABASE_URLS: lost.HOLDFAST_DATABASE_URLS }, 'worker'),
    instance.runWith({ TEMPORAL_ADDRESS: lost.TEMPORAL_ADDRESS }, 'worker'),
  ]);
  expect(doctor.code).toBe(1);
  expect(doctor.output).toMatch(/PROBLEM Postgres of shard 0 at 127.0.0.1:1.holdfast_0: .*ECONNREFUSED/);
  expect(doctor.output).toMatch(/PROBLEM Temporal at 127.0.0.1:1/);
  expect([books.code, books.output]).toEqual([1, expect.stringContaining("Postgres can't be reached at 127.0.0.1:1")]);
  expect([engine.code, engine.output]).toEqual([
    1,
    expect.stringContaining("Temporal can't be reached at 127.0.0.1:1"),
  ]);
  expect(books.output + engine.output).not.toContain('secret');
});

test('in production doctor asks whether proxies stand before the API', async () => {
  const key = (n: number) => Buffer.alloc(32, n).toString('base64');
  const { output } = await instance.runWith(
    {
      HOLDFAST_ENV: 'production',
      HOLDFAST_DATABASE_URLS: 'postgres://app:secret@127.0.0.1:1/holdfast_0',
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      HOLDFAST_TOKEN_KEY: key(1),
      HOLDFAST_COMMAND_KEY: key(2),
      HOLDFAST_SEAL_KEYS: `first:${key(3)}`,
      HOLDFAST_BANK_URL: 'http://127.0.0.1:1',
      HOLDFAST_BANK_API_KEY: key(4),
      HOLDFAST_BANK_WEBHOOK_SECRETS: key(5),
    },
    'doctor',
  );
  expect(output).toMatch(/PROBLEM HOLDFAST_TRUST_PROXY is not set\n.*how many proxies/);
});

test('SIGTERM stops everything, in time, with exit code 0, and leaves no process', async () => {
  const identities = await instance.identities();
  const began = Date.now();
  expect(await instance.end('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(Date.now() - began).toBeLessThan(20_000);
  expect(identities.filter(isRunning)).toEqual([]);
  expect((await instance.run('status')).output).toContain('is not running');
});

test('the number of shards can not change under existing data', async () => {
  const { code, output } = await instance.runWith({ HOLDFAST_SHARDS: '3' }, 'up');
  expect(code).toBe(1);
  expect(output).toContain('HOLDFAST_SHARDS is 3, but the data');
});

test('a data folder made before there was a bank gets what the bank needs, and with a real bank no simulator runs', async () => {
  const file = path.join(instance.folder, 'secrets.json');
  const { bank: _, ...before } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify(before));
  await instance.start({
    HOLDFAST_BANK_URL: 'http://127.0.0.1:9',
    HOLDFAST_BANK_API_KEY: 'the key of a bank that is not there and long enough',
    HOLDFAST_BANK_WEBHOOK_SECRETS: 'the secret of a bank that is not there and long enough',
  });
  expect((await instance.status()).processes.map(({ name }) => name)).toEqual([
    'postgres',
    'temporal',
    'api',
    'worker',
  ]);
  expect(await instance.end('SIGTERM')).toEqual({ code: 0, signal: null });
  const after = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  expect(after).toEqual({ ...before, bank: expect.any(Object) as object });
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('after SIGKILL of up itself its servers end, and a second start works at once, on the same data', async () => {
  await instance.start();
  const identities = await instance.identities();
  await instance.end('SIGKILL');
  await instance.start();
  expect(identities.filter(isRunning)).toEqual([]);
  expect((await instance.status()).processes.map(({ health }) => health)).toEqual(Array(5).fill('healthy'));

  const left = await instance.identities();
  await instance.end('SIGKILL');
  await until('the guard to stop what the killed one left', () => !left.some(isRunning));
});
