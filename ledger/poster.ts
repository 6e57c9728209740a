import pg from 'pg';
import type { Logger } from './log';
import type { Command, Outcome } from './commands';
import { isPassing, isUnreachable, valueTypes } from './postgres';
import { postOnce } from './posting';

/** The shard's database could not be reached for as long as a post may wait; the outcome is not known. */
export class ShardUnavailable extends Error {
  constructor(
    readonly shard: number,
    options?: ErrorOptions,
  ) {
    super(`Shard ${shard} is not reachable`, options);
    this.name = 'ShardUnavailable';
  }
}

export interface PosterOptions {
  shard: number;
  url: string;
  log: Logger;
  /** How long a post may wait and retry before it answers ShardUnavailable. */
  patienceMs?: number;
  maxBatch?: number;
  now?: () => Date;
}

interface Waiting {
  commands: readonly Command[];
  resolve(outcomes: Outcome[]): void;
  reject(error: unknown): void;
  giveUpAt: number;
}

const RETRY_PAUSE_MS = 100;

/**
 * The one way to write the books of a shard from this process. While a commit is in flight all that arrives waits, and
 * then goes together. A commit whose answer was lost is asked again: each command meets its own id and answers what happened.
 */
export class Poster {
  private queue: Waiting[] = [];
  private running: Promise<void> | undefined;
  private client: pg.Client | undefined;
  private lastFailure: unknown;
  /** Commits and commands so far, for metrics and benches. */
  readonly counts = { commits: 0, commands: 0 };

  constructor(private readonly options: PosterOptions) {}

  /** Posts all the commands in one block if they fit; each gets its own outcome, in order. */
  post(commands: readonly Command[]): Promise<Outcome[]> {
    return new Promise((resolve, reject) => {
      const giveUpAt = Date.now() + (this.options.patienceMs ?? 10_000);
      this.queue.push({ commands, resolve, reject, giveUpAt });
      this.running ??= this.drain();
    });
  }

  /** Whether the last try to write met an unreachable database. */
  get isDown(): boolean {
    return this.lastFailure !== undefined && isUnreachable(this.lastFailure);
  }

  /** Finishes what is queued, then lets go of the connection. */
  async close(): Promise<void> {
    while (this.running) await this.running;
    await this.disconnect();
  }

  private async drain(): Promise<void> {
    // One turn of the event loop lets requests of the same moment share the commit.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const batch = this.takeBatch();
      await this.postBatch(batch);
    }
    this.running = undefined;
  }

  private takeBatch(): Waiting[] {
    const max = this.options.maxBatch ?? 2_000;
    let commands = 0;
    let count = 0;
    while (count < this.queue.length && (count === 0 || commands + this.queue[count]!.commands.length <= max)) {
      commands += this.queue[count]!.commands.length;
      count += 1;
    }
    return this.queue.splice(0, count);
  }

  private async postBatch(batch: Waiting[]): Promise<void> {
    let waiting = batch;
    for (;;) {
      try {
        const outcomes = await this.attempt(waiting.flatMap((each) => each.commands));
        this.lastFailure = undefined;
        let from = 0;
        for (const each of waiting) each.resolve(outcomes.slice(from, (from += each.commands.length)));
        return;
      } catch (error) {
        this.lastFailure = error;
        if (!isPassing(error)) {
          // Not for lack of a database: the commands themselves are asked one half at a time.
          await this.postApart(waiting);
          return;
        }
        const now = Date.now();
        for (const each of waiting.filter((late) => late.giveUpAt <= now)) {
          each.reject(new ShardUnavailable(this.options.shard, { cause: error }));
        }
        waiting = waiting.filter((each) => each.giveUpAt > now);
        if (waiting.length === 0) return;
        await new Promise((resume) => setTimeout(resume, RETRY_PAUSE_MS));
      }
    }
  }

  private async attempt(commands: readonly Command[]): Promise<Outcome[]> {
    const client = await this.connected();
    try {
      const { outcomes } = await postOnce(client, commands, this.options.now ?? (() => new Date()));
      this.counts.commits += 1;
      this.counts.commands += commands.length;
      return outcomes;
    } catch (error) {
      // Whatever state the session is in, a new one is clean; closing it also ends its transaction and frees the chain.
      await this.disconnect();
      throw error;
    }
  }

  /** A batch met an unexpected error: halves are posted apart until what fails stands alone and answers for itself. */
  private async postApart(waiting: Waiting[]): Promise<void> {
    for (const each of waiting) {
      try {
        each.resolve(await this.postHalves(each.commands));
      } catch (error) {
        each.reject(isPassing(error) ? new ShardUnavailable(this.options.shard, { cause: error }) : error);
      }
    }
  }

  private async postHalves(commands: readonly Command[]): Promise<Outcome[]> {
    try {
      return await this.attempt(commands);
    } catch (error) {
      if (isPassing(error)) throw error;
      if (commands.length === 1) {
        this.options.log.error(
          { err: error, shard: this.options.shard, command: commands[0]!.kind },
          'a command failed',
        );
        return [{ kind: 'trouble', error: error instanceof Error ? error.message : String(error) }];
      }
      const middle = Math.ceil(commands.length / 2);
      return [
        ...(await this.postHalves(commands.slice(0, middle))),
        ...(await this.postHalves(commands.slice(middle))),
      ];
    }
  }

  private async connected(): Promise<pg.Client> {
    if (this.client) return this.client;
    const client = new pg.Client({
      connectionString: this.options.url,
      application_name: 'holdfast-poster',
      pipeline: true,
      types: valueTypes,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      connectionTimeoutMillis: 3_000,
      // A frozen or vanished process must not keep the chain: the server ends its session.
      options: [
        '-c lock_timeout=5s',
        '-c statement_timeout=10s',
        '-c idle_in_transaction_session_timeout=3s',
        '-c tcp_keepalives_idle=5',
        '-c tcp_keepalives_interval=2',
        '-c tcp_keepalives_count=3',
        // We look rows up by key alone. A plan made while a table was young must not go on scanning it once it has grown.
        '-c enable_seqscan=off',
      ].join(' '),
    });
    client.on('error', () => {
      if (this.client === client) this.client = undefined;
    });
    await client.connect();
    this.client = client;
    return client;
  }

  private async disconnect(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }
}
