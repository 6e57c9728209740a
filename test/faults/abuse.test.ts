import { createHmac } from 'node:crypto';
import http from 'node:http';
import { freePort } from '../../cli/embedded/ports';
import {
  SlowConnections,
  sendHeaderInjections,
  sendInjections,
  sendOversized,
  slowBody,
  slowHeaders,
  type Target,
} from '../support/abuse';
import { eventually } from '../support/eventually';
import { checkBooks } from '../support/final-checks';
import { ask } from '../support/http';
import { Load, makeWishes, type Told } from '../support/load';
import { makePeople, makeStaff, type Person } from '../support/people';
import { report } from '../support/report';
import { Stack } from '../support/stack';

const MAX_RESIDENT_BYTES = 700 * 1024 * 1024;
const VICTIM = { username: 'the_victim', password: 'a long password of theirs', name: 'Vic', email: 'v@example.com' };

let stack: Stack;
let metricsUrl: string;
let people: Person[];
let honest: Person[];
let target: Target;
let staff: string;
const told = new Map<string, Told>();
let loads = 0;

beforeAll(async () => {
  const port = await freePort();
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  stack = await Stack.start();
  await stack.apis[0]!.restart({ HOLDFAST_METRICS_PORT: String(port) });
  people = await makePeople(stack, 20);
  [staff] = await makeStaff(stack);
  const [attacker, ...others] = people as [Person, ...Person[]];
  honest = others;
  target = { url: stack.apis[0]!.url, token: attacker.token, wallet: attacker.wallet };
  expect((await ask(`${target.url}/v1/users`, { method: 'POST', body: VICTIM })).status).toBe(201);
});
afterAll(() => stack?.stop());

/** Honest clients get their transfers done while somebody does this, and the process stays within its memory. */
async function meanwhile<T>(attack: () => Promise<T>): Promise<T> {
  const wishes = makeWishes(honest, 300, honest, `honest-${(loads += 1)}`);
  const load = new Load({ wishes, urls: [target.url], clients: 8 });
  const [result] = await Promise.all([attack(), load.run()]);
  report(load);
  expect(load.wrongs).toEqual([]);
  expect(load.told.size).toBe(300);
  for (const [key, what] of load.told) told.set(key, what);
  expect(await residentBytes()).toBeLessThan(MAX_RESIDENT_BYTES);
  expect(stack.processes.flatMap(({ deaths }) => deaths)).toEqual([]);
  return result;
}

async function residentBytes(): Promise<number> {
  const { body } = await ask(metricsUrl);
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(body as string)![1]);
}

const isRefusal = (status: number) => status === 0 || (status >= 400 && status < 500);

test('thousands of connections that say nothing, or hardly anything, are closed in time', async () => {
  const waves = await meanwhile(async () => [
    new SlowConnections(target, 2_000),
    new SlowConnections(target, 500, slowHeaders),
    new SlowConnections(target, 200, slowBody(target)),
  ]);
  try {
    await eventually(async () => expect(waves.map(({ count }) => count)).toEqual([0, 0, 0]), { withinMs: 180_000 });
  } finally {
    for (const wave of waves) wave.close();
  }
});

test('bodies, headers and addresses too large or too odd are refused, and nothing of them is kept', async () => {
  const statuses = await meanwhile(async () => (await Promise.all(Array(4).fill(target).map(sendOversized))).flat());
  expect(statuses.filter((status) => !isRefusal(status))).toEqual([]);
  expect(statuses).toEqual(expect.arrayContaining([400, 413, 422, 431]));
});

test.each(['a customer', 'ops'])('as %s, strings made for SQL, paths and prototypes reach nothing', async (who) => {
  const token = who === 'ops' ? staff : target.token;
  const answers = await meanwhile(() => sendInjections({ ...target, token }));
  expect(answers.length).toBeGreaterThan(500);
  expect(answers.filter(({ status }) => status >= 500).map(({ what }) => what)).toEqual([]);
});

test('no header of ours carries what a client put into one of theirs', async () => {
  const heads = await sendHeaderInjections(target);
  expect(heads.filter((head) => /^set-cookie/im.test(head) || /^location:.*elsewhere/im.test(head))).toEqual([]);
});

test('forged tokens speak for nobody', async () => {
  const [header, payload, signature] = target.token.split('.') as [string, string, string];
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  const signed = (head: object, body: object, key: string) => {
    const text = `${encode(head)}.${encode(body)}`;
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
  };
  const admin = { ...claims, roles: ['admin'] };
  const hs256 = { alg: 'HS256', typ: 'JWT' };
  const forged = [
    `${encode({ alg: 'none' })}.${payload}.`,
    `${encode({ alg: 'None', typ: 'JWT' })}.${encode(admin)}.${signature}`,
    `${header}.${encode(admin)}.${signature}`,
    `${header}.${payload}.`,
    `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
    signed(hs256, admin, 'a guess'),
    signed(hs256, admin, ''),
    signed({ ...hs256, jwk: { kty: 'oct', k: 'AA' } }, admin, '\0'),
    signed({ ...hs256, kid: '/dev/null' }, admin, ''),
    signed(hs256, { ...claims, exp: 9e15 }, 'a guess'),
    `${target.token}.${signature}`,
    'null',
    "' or 1=1 --",
  ];
  const answers = await meanwhile(() => Promise.all(forged.map((token) => ask(`${target.url}/v1/me`, { token }))));
  expect(answers.map(({ status }) => status)).toEqual(forged.map(() => 401));
});

test('guessing a password gets nowhere, and its owner still logs in from where they are', async () => {
  const guess = async (n: number) =>
    (
      await ask(`${target.url}/v1/sessions`, {
        method: 'POST',
        body: { username: VICTIM.username, password: `a guess ${n}, long enough` },
        timeoutMs: 120_000,
      })
    ).status;
  const statuses = await meanwhile(async () => {
    const found: number[] = [];
    const next = Array.from({ length: 200 }, (_, n) => n).values();
    const guesser = async () => {
      for (const n of next) found.push(await guess(n));
    };
    await Promise.all(Array.from({ length: 16 }, guesser));
    return found;
  });
  expect(statuses.filter((status) => ![401, 429, 503].includes(status))).toEqual([]);
  await eventually(async () => expect(await logInFrom('127.0.0.2')).toBe(201), { withinMs: 60_000 });
});

/** On Linux every address of 127.0.0.0/8 is this machine's. */
function logInFrom(localAddress: string): Promise<number> {
  const body = JSON.stringify({ username: VICTIM.username, password: VICTIM.password });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    http
      .request(`${target.url}/v1/sessions`, { method: 'POST', localAddress, headers, agent: false })
      .once('response', (response) => resolve(response.resume().statusCode!))
      .once('error', reject)
      .end(body);
  });
}

test('after all of it every transfer of the honest is what they were told, and no money has moved otherwise', async () => {
  await checkBooks(stack, { people, told });
});
