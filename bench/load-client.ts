import net from 'node:net';
import type { LoadResult } from './load-jobs';
import { percentile } from './stats';

/** What a client sends next, and how many transfers an answer counts for (0: it is no success). */
export interface Traffic {
  next(): string;
  successes(status: number, body: Buffer): number;
}

const STRAGGLERS_MS = 15_000;
const LENGTH = /\r\ncontent-length: *(\d+)/i;

/**
 * HTTP over keep-alive sockets with as little parsing as can be, since on a small machine whatever the client burns the
 * server lacks. One request in flight a connection; the next one leaves when the answer is in.
 */
export class LoadClient {
  private readonly latencies: number[] = [];
  private readonly statuses: Record<string, number> = {};
  private successes = 0;
  private all = 0;
  private errors = 0;

  constructor(
    private readonly port: number,
    private readonly traffic: Traffic,
    private readonly restMs = 0,
  ) {}

  async run(clients: number, warmUpMs: number, runMs: number): Promise<LoadResult> {
    const from = performance.now() + warmUpMs;
    const until = from + runMs;
    await Promise.all(Array.from({ length: clients }, () => this.client(from, until)));
    return {
      rate: (this.successes / runMs) * 1000,
      p50: percentile(this.latencies, 0.5),
      p99: percentile(this.latencies, 0.99),
      errors: this.errors,
      statuses: this.statuses,
      all: this.all,
    };
  }

  /** One client after another on the same place: a broken connection counts as an error and is opened again. */
  private async client(from: number, until: number): Promise<void> {
    while (performance.now() < until) {
      try {
        await this.connection(from, until);
      } catch (error) {
        this.errors += 1;
        this.count((error as NodeJS.ErrnoException).code ?? (error as Error).message);
        await new Promise((resume) => setTimeout(resume, 100));
      }
    }
  }

  private connection(from: number, until: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port: this.port, host: '127.0.0.1', noDelay: true });
      let sentAt = 0;
      let unread: Buffer | undefined;
      const giveUp = setTimeout(
        () => socket.destroy(new Error('no answer')),
        until - performance.now() + STRAGGLERS_MS,
      );
      const send = () => {
        sentAt = performance.now();
        if (sentAt < until) socket.write(this.traffic.next(), 'latin1');
        else socket.end();
      };
      socket.once('connect', send);
      socket.on('data', (chunk) => {
        unread = unread === undefined ? chunk : Buffer.concat([unread, chunk]);
        const answer = readAnswer(unread);
        if (answer === undefined) return;
        unread = undefined;
        this.answered(answer, sentAt, from, until);
        if (this.restMs > 0) setTimeout(send, this.restMs);
        else send();
      });
      socket.once('error', reject);
      socket.once('close', () => {
        clearTimeout(giveUp);
        if (performance.now() < until) reject(new Error('closed by the server'));
        else resolve();
      });
    });
  }

  private answered({ status, body }: Answer, sentAt: number, from: number, until: number): void {
    const now = performance.now();
    const successes = this.traffic.successes(status, body);
    this.all += successes;
    if (successes === 0) {
      this.errors += 1;
      this.count(String(status));
    } else if (now >= from && now < until) {
      this.successes += successes;
      this.latencies.push(now - sentAt);
    }
  }

  private count(what: string): void {
    this.statuses[what] = (this.statuses[what] ?? 0) + 1;
  }
}

interface Answer {
  status: number;
  body: Buffer;
}

/** The answer, once all of it is there. Every answer of the servers we measure has a Content-Length. */
function readAnswer(bytes: Buffer): Answer | undefined {
  const headerEnd = bytes.indexOf('\r\n\r\n');
  if (headerEnd < 0) return undefined;
  const header = bytes.toString('latin1', 0, headerEnd);
  const length = LENGTH.exec(header);
  if (length === null) throw new Error('an answer without Content-Length');
  const bodyStart = headerEnd + 4;
  const end = bodyStart + Number(length[1]);
  if (bytes.length < end) return undefined;
  return { status: Number(header.slice(9, 12)), body: bytes.subarray(bodyStart, end) };
}
