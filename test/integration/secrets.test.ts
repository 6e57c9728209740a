import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePort } from '../../cli/embedded/ports';
import { exitOf } from '../../cli/embedded/processes';
import { cloneDatabase, type TestDatabase } from '../support/database';
import { eventually } from '../support/eventually';

/** In every secret, so that it is found wherever one gets to. */
const MARK = 'SecretMarkOfTests';
const secret = (what: string) => `${MARK}${what}`.padEnd(32, 'x');
const key = (id: string) => `${id}:${Buffer.from(secret(id).slice(0, 32)).toString('base64')}`;
const MAIN = path.join(__dirname, '../../dist/cli/main.js');

let database: TestDatabase;
let folder: string;
let everything: Record<string, string>;
let said = '';
beforeAll(async () => {
  database = await cloneDatabase();
  folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-secrets-'));
  const secrets = {
    HOLDFAST_TOKEN_KEY: secret('token'),
    HOLDFAST_COMMAND_KEY: secret('command'),
    HOLDFAST_SEAL_KEYS: key('seal'),
    HOLDFAST_PAYLOAD_KEYS: key('payload'),
    HOLDFAST_BANK_API_KEY: secret('bank'),
    HOLDFAST_BANK_WEBHOOK_SECRETS: secret('webhook'),
    HOLDFAST_NOTIFY_WEBHOOK_SECRET: secret('notify'),
    HOLDFAST_SMTP_URL: `smtp://user:${secret('smtp')}@127.0.0.1:1`,
    HOLDFAST_DATABASE_URLS: database.appUrl,
  };
  everything = {
    PATH: process.env['PATH']!,
    HOLDFAST_ENV_FILE: os.devNull,
    HOLDFAST_ENV: 'production',
    HOLDFAST_DATA_DIR: folder,
    HOLDFAST_BANK_URL: 'http://127.0.0.1:1',
    HOLDFAST_NOTIFY_WEBHOOK_URL: 'https://hooks.example.com/hook',
    HOLDFAST_MAIL_FROM: 'us@example.com',
    TEMPORAL_ADDRESS: process.env['HOLDFAST_TEST_TEMPORAL_ADDRESS']!,
    LOG_LEVEL: 'trace',
    ...inFiles(secrets),
  };
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await database.drop();
});
/** A base64 text of the mark stands for it in keys. */
afterEach(() => {
  const coded = Buffer.from(MARK).toString('base64').slice(0, 20);
  expect({ clear: said.includes(MARK), coded: said.includes(coded) }).toEqual({ clear: false, coded: false });
});

/** Each in a file of its own, as orchestrators hand them over. */
function inFiles(settings: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      const file = path.join(folder, name);
      writeFileSync(file, `${value}\n`);
      return [`${name}_FILE`, file];
    }),
  );
}

function start(command: string, changed: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, [MAIN, command], { env: { ...everything, ...changed } });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return child;
}

/** What `ps` would show of every process there is. */
function commandLines(): string {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => readOrNothing(`/proc/${pid}/cmdline`)).join('\n');
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}

async function endOf(child: ChildProcess): Promise<number | null> {
  return (await exitOf(child)).code;
}

test('secrets in files start a process, and neither it, nor its answers, nor `ps` show any, whatever is asked', async () => {
  const port = await freePort();
  const api = start('api', { PORT: String(port) });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => expect((await fetch(`${url}/healthz`)).status).toBe(200), { withinMs: 60_000 });
  said += commandLines();
  const json = { 'content-type': 'application/json' };
  const asks: [string, RequestInit][] = [
    ['/healthz', {}],
    ['/readyz', {}],
    ['/openapi.json', {}],
    ['/v1/me', { headers: { authorization: 'Bearer not.a.token' } }],
    ['/v1/sessions', { method: 'POST', headers: json, body: '{"username":"x_y_z","password":"not the one"}' }],
    ['/v1/sessions', { method: 'POST', headers: json, body: '{"username":' }],
    ['/v1/users', { method: 'POST', headers: json, body: '{}' }],
    ['/v1/bank/webhooks', { method: 'POST', headers: { ...json, 'bank-signature': 't=1,v1=00' }, body: '{}' }],
    ['/codec/decode', { method: 'POST', headers: json, body: '{"payloads":[]}' }],
    ['/%E0%A4%A', {}],
  ];
  for (const [at, init] of asks) {
    const answer = await fetch(`${url}${at}`, init);
    said += `${JSON.stringify([...answer.headers])}${await answer.text()}`;
  }
  expect(said).toContain('invalid_credentials'); // what is looked through is really there
  api.kill('SIGTERM');
  await once(api, 'exit');
});

const without = (...names: string[]) => Object.fromEntries(names.map((name) => [`${name}_FILE`, '']));

test('what is wrong is told without a secret', async () => {
  const nowhere = `postgres://nobody:${secret('database')}@127.0.0.1:1/nowhere`;
  const wrong = {
    HOLDFAST_SEAL_KEYS: MARK,
    HOLDFAST_PAYLOAD_KEYS: `a:${MARK}`,
    HOLDFAST_TOKEN_KEY: MARK,
    HOLDFAST_DATABASE_URLS: `${MARK}:password@host`,
    HOLDFAST_SMTP_URL: `http://user:${MARK}@mail`,
    HOLDFAST_BANK_WEBHOOK_SECRETS: MARK,
  };
  const processes = [
    start('api', { ...without('HOLDFAST_DATABASE_URLS'), HOLDFAST_DATABASE_URLS: nowhere }),
    start('worker', { TEMPORAL_ADDRESS: '127.0.0.1:1', TEMPORAL_API_KEY: secret('temporal') }),
    start('api', { ...without(...Object.keys(wrong)), ...wrong }),
    start('worker', { HOLDFAST_TOKEN_KEY: secret('twice') }),
    start('api', { HOLDFAST_TOKEN_KEY_FILE: '/none/of/it' }),
  ];
  expect(await Promise.all(processes.map(endOf))).toEqual(processes.map(() => 1));
  for (const hint of ["Postgres can't be reached", "Temporal can't be reached", 'HOLDFAST_SEAL_KEYS: key number 1']) {
    expect(said).toContain(hint);
  }
  expect(said).toContain('HOLDFAST_TOKEN_KEY_FILE: is given beside HOLDFAST_TOKEN_KEY');
  expect(said).toContain("HOLDFAST_TOKEN_KEY_FILE: names a file that can't be read");
});
