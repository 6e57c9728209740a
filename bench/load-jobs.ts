import { randomUUID } from 'node:crypto';
import type { Traffic } from './load-client';

export interface Payer {
  shard: number;
  wallet: string;
  token: string;
  bankAccount: string;
}

export interface LoadJob {
  port: number;
  clients: number;
  /** How long each client rests between an answer and its next request. */
  restMs?: number;
  warmUpMs: number;
  runMs: number;
  payers: Payer[];
  kind:
    /** Within shards or between them; without a word of it, as it comes. */
    | { name: 'transfer'; between?: 'same' | 'other' }
    | { name: 'bulk'; size: number }
    /** With a wait the answer is the outcome; without one, that it is durable. */
    | { name: 'deposit' | 'withdrawal'; waitSeconds?: number }
    | { name: 'read'; path: string };
}

export interface LoadResult {
  /** Successes a second: transfers for `transfer` and `bulk`, otherwise answers. */
  rate: number;
  /** Of an answer, in milliseconds. */
  p50: number;
  p99: number;
  errors: number;
  /** What came instead of successes. */
  statuses: Record<string, number>;
  /** Successes in and around the measured time. */
  all: number;
}

/** The requests of a job, made by simple joining of strings: the load client's own work has to be small. */
export function trafficOf(job: LoadJob): Traffic {
  const { kind } = job;
  switch (kind.name) {
    case 'transfer':
      return transfers(job, kind.between);
    case 'bulk':
      return bulks(job, kind.size);
    case 'deposit':
    case 'withdrawal':
      return payments(job, kind.name, kind.waitSeconds);
    case 'read':
      return reads(job, kind.path);
  }
}

const anyOf = (count: number) => Math.floor(Math.random() * count);

/** Two different places of a list. */
function twoOf(count: number): [number, number] {
  const from = anyOf(count);
  const to = anyOf(count - 1);
  return [from, to < from ? to : to + 1];
}

function head(job: LoadJob, method: string, path: string, payer: Payer): string {
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${job.port}\r\nAuthorization: Bearer ${payer.token}\r\n`;
}

const JSON_BODY = 'Content-Type: application/json\r\nContent-Length: ';
const amount = () => `${anyOf(9) + 1}.${anyOf(90) + 10}`;

function transfers(job: LoadJob, between?: 'same' | 'other'): Traffic {
  const { payers } = job;
  const heads = payers.map((payer) => head(job, 'POST', '/v1/transfers', payer));
  const pair = (): [number, number] => {
    for (;;) {
      const [from, to] = twoOf(payers.length);
      if (between === undefined || (between === 'same') === (payers[from]!.shard === payers[to]!.shard))
        return [from, to];
    }
  };
  const run = randomUUID();
  let sent = 0;
  return {
    next() {
      const [from, to] = pair();
      const body = `{"from":"${payers[from]!.wallet}","to":"${payers[to]!.wallet}","amount":"${amount()}"}`;
      return `${heads[from]!}Idempotency-Key: ${run}-${sent++}\r\n${JSON_BODY}${body.length}\r\n\r\n${body}`;
    },
    successes: (status) => (status === 201 ? 1 : 0),
  };
}

function payments(job: LoadJob, kind: 'deposit' | 'withdrawal', waitSeconds?: number): Traffic {
  const { payers } = job;
  const path = `/v1/${kind}s${waitSeconds === undefined ? '' : `?wait=${waitSeconds}`}`;
  const heads = payers.map((payer) => head(job, 'POST', path, payer));
  const success = waitSeconds === undefined ? 202 : 201;
  const run = randomUUID();
  let sent = 0;
  return {
    next() {
      const at = anyOf(payers.length);
      const { wallet, bankAccount } = payers[at]!;
      const body = `{"wallet":"${wallet}","amount":"${amount()}","bankAccount":"${bankAccount}"}`;
      return `${heads[at]!}Idempotency-Key: ${run}-${sent++}\r\n${JSON_BODY}${body.length}\r\n\r\n${body}`;
    },
    successes: (status) => (status === success ? 1 : 0),
  };
}

function bulks(job: LoadJob, size: number): Traffic {
  const { payers } = job;
  const run = randomUUID();
  let sent = 0;
  return {
    next() {
      const from = anyOf(payers.length);
      const items = Array.from({ length: size }, () => {
        const to = (from + 1 + anyOf(payers.length - 1)) % payers.length;
        const wallets = `"from":"${payers[from]!.wallet}","to":"${payers[to]!.wallet}"`;
        return `{"idempotencyKey":"${run}-${sent++}",${wallets},"amount":"${amount()}"}`;
      });
      const body = `{"transfers":[${items.join(',')}]}`;
      return `${head(job, 'POST', '/v1/transfers/bulk', payers[from]!)}${JSON_BODY}${body.length}\r\n\r\n${body}`;
    },
    successes: (status, body) => (status === 207 ? occurrences(body, '"status":201') : 0),
  };
}

function reads(job: LoadJob, path: string): Traffic {
  const requests = job.payers.map((payer) => `${head(job, 'GET', path.replace('{wallet}', payer.wallet), payer)}\r\n`);
  return {
    next: () => requests[anyOf(requests.length)]!,
    successes: (status) => (status === 200 ? 1 : 0),
  };
}

function occurrences(body: Buffer, text: string): number {
  let count = 0;
  for (let at = body.indexOf(text); at >= 0; at = body.indexOf(text, at + text.length)) count += 1;
  return count;
}
