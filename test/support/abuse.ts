import { randomUUID } from 'node:crypto';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, type HttpRequest } from './http';

const HEARD_MS = 60_000;

/** What came of one attempt: the status of the answer, or 0 where the connection was closed without one. */
export type Status = number;

export interface Target {
  url: string;
  token: string;
  wallet: string;
}

/** Strings that were trouble somewhere: for SQL, for headers, for paths, for prototypes, for text columns. */
const NASTY = [
  `' or '1'='1`,
  `'; drop table entries; --`,
  `1); select pg_sleep(20); --`,
  `\u0000`,
  'a\u0000b',
  '../../etc/passwd',
  '..%2f..%2fetc%2fpasswd',
  'x\r\nSet-Cookie: taken=1',
  '__proto__',
  'constructor',
  '$where',
  '{{7*7}}',
  '\ud800',
  '\u202e',
  '9'.repeat(400),
  'NaN',
  '-1',
  '1e400',
  '@clearing.SGD',
  'http://169.254.169.254/latest/meta-data/',
];

/** Bytes as they are, to a server; resolves with the status of the first answer. */
export function sendRaw(
  { url }: Pick<Target, 'url'>,
  text: string | Buffer,
): Promise<{ status: Status; head: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let heard = '';
    const socket = net.connect(Number(port), hostname, () => socket.write(text));
    const timer = setTimeout(() => socket.destroy(), HEARD_MS);
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      if (heard.includes('\r\n\r\n')) socket.destroy();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timer);
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(heard)?.[1] ?? 0), head: heard.split('\r\n\r\n')[0]! });
    });
  });
}

/** Connections that say nothing, or `first` and then, now and then, one more byte. */
export class SlowConnections {
  private readonly open = new Set<net.Socket>();

  constructor({ url }: Target, count: number, first = '') {
    const { hostname, port } = new URL(url);
    for (let n = 0; n < count; n += 1) {
      const socket = net.connect(Number(port), hostname, () => {
        if (first !== '') socket.write(first);
      });
      this.open.add(socket);
      const drip = setInterval(() => first !== '' && socket.write('x'), 1_000);
      // Of one that never got past the server's queue nobody would tell: the kernel has to ask.
      socket.setKeepAlive(true, 1_000);
      socket.on('error', () => {});
      socket.resume();
      socket.once('close', () => {
        clearInterval(drip);
        this.open.delete(socket);
      });
    }
  }

  get count(): number {
    return this.open.size;
  }

  close(): void {
    for (const socket of this.open) socket.destroy();
  }
}

export const slowHeaders = 'GET /v1/wallets HTTP/1.1\r\nHost: holdfast\r\nX-Slow: ';
export const slowBody = ({ token }: Target): string =>
  `POST /v1/transfers HTTP/1.1\r\nHost: holdfast\r\nAuthorization: Bearer ${token}\r\n` +
  `Idempotency-Key: ${randomUUID()}\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n{`;

/** Bodies, headers and addresses far larger or far odder than anybody needs. */
export async function sendOversized(target: Target): Promise<Status[]> {
  const { url, token, wallet } = target;
  const post = (body: string | Buffer, more = '') =>
    sendRaw(
      target,
      Buffer.concat([
        Buffer.from(
          `POST /v1/transfers HTTP/1.1\r\nHost: holdfast\r\nAuthorization: Bearer ${token}\r\n${more}` +
            `Idempotency-Key: ${randomUUID()}\r\nContent-Type: application/json\r\n` +
            `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`,
        ),
        Buffer.from(body),
      ]),
    );
  const transfer = (more: string) => `{"from":"${wallet}","to":"nobody.SGD","amount":"1.00"${more}}`;
  const answers = await Promise.all([
    post('x'.repeat(5_000_000)),
    sendRaw(
      target,
      `POST /v1/users HTTP/1.1\r\nHost: holdfast\r\nContent-Type: application/json\r\nContent-Length: 9000000000\r\n\r\n{`,
    ),
    sendRaw(target, `GET /v1/wallets HTTP/1.1\r\nHost: holdfast\r\nX-Long: ${'x'.repeat(200_000)}\r\n\r\n`),
    sendRaw(target, `GET /v1/wallets/${'x'.repeat(200_000)} HTTP/1.1\r\nHost: holdfast\r\n\r\n`),
    sendRaw(target, `GET /v1/me HTTP/1.1\r\nHost: holdfast\r\nAuthorization: Bearer ${'a.'.repeat(6_000)}\r\n\r\n`),
    post('['.repeat(90_000)),
    post(`${'{"a":'.repeat(15_000)}1${'}'.repeat(15_000)}`),
    post(transfer(`,"__proto__":{"roles":["admin"]}`)),
    post(transfer(`,"constructor":{"prototype":{}}`)),
    post(transfer(Array.from({ length: 5_000 }, (_, n) => `,"k${n}":1`).join(''))),
    post(`{"from":"${wallet}","to":"nobody.SGD","amount":"${'9'.repeat(90_000)}"}`),
    post(`{"from":"${wallet}","to":"nobody.SGD","amount":1e400}`),
    post(Buffer.from([0x7b, 0xff, 0xfe, 0x7d])),
    post(transfer(`,"message":"${'\\u0000'.repeat(100)}"`)),
    // Two lengths for one body: whoever stands in front of us may believe the other.
    post(transfer(''), 'Transfer-Encoding: chunked\r\n'),
    endlessBody(url, token),
  ]);
  return answers.map(({ status }) => status);
}

/** Chunk after chunk, for as long as anybody reads it. */
async function endlessBody(url: string, token: string): Promise<{ status: Status }> {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  let heard = '';
  let closed = false;
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
  socket.on('error', () => {});
  socket.once('close', () => (closed = true));
  socket.write(
    `POST /v1/transfers/bulk HTTP/1.1\r\nHost: holdfast\r\nAuthorization: Bearer ${token}\r\n` +
      'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  for (let sent = 0; sent < 2_000 && !closed && heard === ''; sent += 1) {
    if (!socket.write(chunk)) await Promise.race([new Promise((go) => socket.once('drain', go)), sleep(1_000)]);
  }
  for (let waited = 0; heard === '' && !closed && waited < HEARD_MS; waited += 50) await sleep(50);
  socket.destroy();
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(heard)?.[1] ?? 0) };
}

interface Operation {
  parameters?: { name: string; in: string }[];
}

/** Each string in each parameter of each route that openapi.json knows, and in its body. */
export async function sendInjections({ url, token }: Target): Promise<{ status: Status; what: string }[]> {
  const { paths } = (await ask(`${url}/openapi.json`)).body as { paths: Record<string, Record<string, Operation>> };
  const requests: { path: string; request: HttpRequest }[] = [];
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { parameters = [] }] of Object.entries(operations)) {
      for (const nasty of NASTY) {
        const safe = encodeURIComponent(nasty.isWellFormed() ? nasty : '%ED%A0%80');
        const filled = path.replaceAll(/\{[^}]+\}/g, safe);
        const query = parameters.filter((each) => each.in === 'query').map(({ name }) => `${name}=${safe}`);
        const request: HttpRequest = {
          method: method.toUpperCase(),
          token,
          ...(method !== 'get' && {
            body: { from: nasty, to: nasty, amount: nasty, username: nasty, password: nasty, [nasty]: nasty },
            headers: { 'idempotency-key': encodeURIComponent(safe).slice(0, 300) },
          }),
        };
        requests.push({ path: `${filled}${query.length > 0 ? `?${query.join('&')}` : ''}`, request });
      }
    }
  }
  const results: { status: Status; what: string }[] = [];
  const next = requests.values();
  const attacker = async () => {
    for (const { path, request } of next) {
      const { status } = await ask(url + path, request);
      results.push({ status, what: `${request.method} ${path} ${status}` });
    }
  };
  await Promise.all(Array.from({ length: 8 }, attacker));
  return results;
}

/** Header lines within values, in the ways a client can try to send them. */
export async function sendHeaderInjections(target: Target): Promise<string[]> {
  const tries = [
    'X-Request-Id: a\r\n Set-Cookie: taken=1',
    'X-Request-Id: a\rSet-Cookie: taken=1',
    'X-Request-Id: a\nSet-Cookie: taken=1',
    'X-Request-Id: a%0d%0aSet-Cookie: taken=1',
    'Idempotency-Key: a\u0085Set-Cookie: taken=1',
    'Prefer: wait=1\r\nPrefer: respond-async\r\nX-Request-Id: b',
    'Host: elsewhere\r\nX-Forwarded-Host: elsewhere',
  ];
  const answers = await Promise.all(
    tries.map((line) =>
      sendRaw(
        target,
        `GET /v1/me HTTP/1.1\r\nHost: holdfast\r\nAuthorization: Bearer ${target.token}\r\n${line}\r\n\r\n`,
      ),
    ),
  );
  return answers.map(({ head }) => head);
}
