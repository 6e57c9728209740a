import type { Socket } from 'node:net';
import pg from 'pg';
import type { DefaultLimits } from '../contracts/limits';
import type { Logger } from './log';
import type { Command, Outcome } from './commands';
import { postCommands, postFailures, postRoundTrips, posts, transactions } from '../metrics/instruments';
import { timeStatements, type SlowStatements } from '../metrics/statements';
import { detached, here, inSpan, type Place } from '../tracing';
import { isPassing, isUnreachable, ShardUnavailable, takesNoWrites, valueTypes } from './postgres';
import { hasLanded, LostCommit, postOnce, ROUND_TRIPS } from './posting';

export interface PosterOptions {
  shard: number;
  url: string;
  log: Logger;
  /** How long a post may wait and retry before it answers ShardUnavailable. */
  patienceMs?: number;
  maxBatch?: number;
  now?: () => Date;
  /** Of every wallet that has no limits of its own. */
  defaultLimits?: DefaultLimits;
  slowStatements?: SlowStatements;
  isTimed?: boolean;
}

interface Waiting {
  commands: readonly Command[];
  /** What it is done for. */
  place: Place;
  resolve(outcomes: Outcome[]): void;
  reject(error: Error): void;
  giveUpAt: number;
  settled: boolean;
}

const RETRY_PAUSE_MS = 100;
/** A server that is frozen, or behind a dead network, answers nothing at all. */
const SILENCE_MS = 5_000;
const GOODBYE_MS = 500;
const PROBE_EVERY_MS = 500;
const FAILURES = ['lost', 'unreachable', 'error'] as const;

/**
 * The one way to write the books of a shard from this process. While a commit is in flight all that arrives waits, and
 * then goes together. A commit whose answer was lost is looked for in the chain, and only when it isn't there posted anew.
 */
export class Poster {
  private queue: Waiting[] = [];
  private running: Promise<void> | undefined;
  private client: pg.Client | undefined;
  private lastFailure: unknown;
  private probing: Promise<unknown> | undefined;
  private isClosed = false;
  /** Commits and commands so far, for metrics and benches. */
  readonly counts = { commits: 0, commands: 0 };

  constructor(private readonly options: PosterOptions) {
    const { shard } = options;
    postRoundTrips.inc({ shard }, 0);
    for (const kind of FAILURES) postFailures.inc({ shard, kind }, 0);
  }

  /** Posts all the commands in one block if they fit; each gets its own outcome, in order. */
  post(commands: readonly Command[], patienceMs = this.options.patienceMs ?? 10_000): Promise<Outcome[]> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        commands,
        place: here(),
        giveUpAt: performance.now() + patienceMs,
        settled: false,
        resolve: (outcomes) => settle(() => resolve(outcomes)),
        reject: (error) => settle(() => reject(error)),
      };
      // Whatever the connection does, whoever asked is answered.
      const timer = setTimeout(() => waiting.reject(this.unavailable()), patienceMs + GOODBYE_MS);
      const settle = (answer: () => void) => {
        waiting.settled = true;
        clearTimeout(timer);
        answer();
      };
      this.queue.push(waiting);
      this.running ??= detached(() => this.drain());
    });
  }

  /** Whether the last try to write met an unreachable database. */
  get isDown(): boolean {
    return this.lastFailure !== undefined && isUnreachable(this.lastFailure);
  }

  /** Whether it could not be read either: one that is being moved takes no writes for a while. */
  get isAway(): boolean {
    return this.isDown && !takesNoWrites(this.lastFailure);
  }

  /** A database that was away is asked now and then, by whoever is refused because of it, whether it is back. */
  probe(): Promise<unknown> {
    // The last reads of a process that ends must not have it connect once more.
    if (this.isClosed) return Promise.resolve();
    this.probing ??= this.post([], 0)
      .catch(() => undefined)
      .finally(() => setTimeout(() => (this.probing = undefined), PROBE_EVERY_MS).unref());
    return this.probing;
  }

  /** Finishes what is queued, then lets go of the connection. */
  async close(): Promise<void> {
    this.isClosed = true;
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
    this.queue = this.queue.filter((each) => !each.settled);
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
    let inDoubt: { commit: LostCommit; waiting: Waiting[] } | undefined;
    while (waiting.length > 0) {
      try {
        if (inDoubt && (await this.landed(inDoubt.commit))) {
          return share(inDoubt.waiting, inDoubt.commit.outcomes);
        }
        inDoubt = undefined;
        return share(waiting, await this.attemptTraced(waiting));
      } catch (error) {
        if (error instanceof LostCommit) inDoubt = { commit: error, waiting };
        else if (!isPassing(error)) return await this.postApart(waiting, error);
        for (const each of waiting) if (each.giveUpAt <= performance.now()) each.reject(this.unavailable());
        waiting = waiting.filter((each) => !each.settled);
        if (waiting.length > 0) await new Promise((resume) => setTimeout(resume, RETRY_PAUSE_MS));
      }
    }
  }

  /** A batch met an unexpected error: halves are posted apart until what fails stands alone and answers for itself. */
  private async postApart(waiting: Waiting[], error: unknown): Promise<void> {
    const [only] = waiting;
    if (waiting.length > 1) {
      for (const half of halves(waiting)) await this.postBatch(half);
    } else if (only!.commands.length > 1) {
      const outcomes: Outcome[] = [];
      for (const commands of halves(only!.commands)) {
        const part = await new Promise<Outcome[] | undefined>((resolve) => {
          const giveUp = (cause: Error) => {
            only!.reject(cause);
            resolve(undefined);
          };
          const { place, giveUpAt } = only!;
          void this.postBatch([{ commands, place, giveUpAt, settled: false, resolve, reject: giveUp }]);
        });
        if (!part) return;
        outcomes.push(...part);
      }
      only!.resolve(outcomes);
    } else if (only!.commands.length === 1) {
      const [command] = only!.commands as [Command];
      const transactionId = transactionOf(command);
      const line = { err: error, shard: this.options.shard, command: command.kind, transactionId };
      this.options.log.error(line, 'a command failed');
      only!.resolve([{ kind: 'trouble', error: error instanceof Error ? error.message : String(error) }]);
    } else {
      only!.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private attemptTraced(waiting: readonly Waiting[]): Promise<Outcome[]> {
    const commands = waiting.flatMap((each) => each.commands);
    const of = waiting.map((each) => each.place);
    const attributes = { shard: this.options.shard, commands: commands.length };
    return inSpan('post', { of, attributes }, () => this.attempt(commands));
  }

  private async attempt(commands: readonly Command[]): Promise<Outcome[]> {
    const { shard, now = () => new Date(), defaultLimits } = this.options;
    const end = posts.startTimer({ shard });
    const { outcomes, ended } = await this.withClient((client) => postOnce(client, commands, { now, defaultLimits }));
    end();
    this.counts.commits += 1;
    this.counts.commands += commands.length;
    postCommands.observe({ shard }, commands.length);
    postRoundTrips.inc({ shard }, ROUND_TRIPS);
    for (const { type, status, createdAt, completedAt } of ended) {
      transactions.observe({ type, status }, (completedAt!.getTime() - createdAt.getTime()) / 1_000);
    }
    return outcomes;
  }

  private landed(commit: LostCommit): Promise<boolean> {
    return this.withClient((client) => hasLanded(client, commit));
  }

  private async withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    try {
      const result = await work(await this.connected());
      this.lastFailure = undefined;
      return result;
    } catch (error) {
      this.lastFailure = error instanceof LostCommit ? error.cause : error;
      postFailures.inc({ shard: this.options.shard, kind: kindOf(error) });
      // Whatever state the session is in, a new one is clean; closing it also ends its transaction and frees the chain.
      await this.disconnect();
      throw error;
    }
  }

  private unavailable(): ShardUnavailable {
    return new ShardUnavailable(this.options.shard, { cause: this.lastFailure });
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
      query_timeout: SILENCE_MS,
      // A frozen or vanished process must not keep the chain: the server ends its session.
      options: [
        '-c lock_timeout=3s',
        '-c statement_timeout=4s',
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
    if (this.options.isTimed ?? true) timeStatements(client, this.options.slowStatements);
    this.client = client;
    return client;
  }

  private async disconnect(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    if (!client) return;
    // A server that doesn't answer says no goodbye either.
    const late = new Promise((resume) => setTimeout(resume, GOODBYE_MS).unref());
    await Promise.race([client.end().catch(() => undefined), late]);
    (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
  }
}

function transactionOf(command: Command): string | undefined {
  if ('facts' in command) return command.facts.id;
  return 'transactionId' in command ? command.transactionId : undefined;
}

function kindOf(error: unknown): (typeof FAILURES)[number] {
  if (error instanceof LostCommit) return 'lost';
  return isUnreachable(error) ? 'unreachable' : 'error';
}

/** Each gets the outcomes of its own commands. */
function share(waiting: readonly Waiting[], outcomes: readonly Outcome[]): void {
  let from = 0;
  for (const each of waiting) each.resolve(outcomes.slice(from, (from += each.commands.length)));
}

function halves<T>(all: readonly T[]): [T[], T[]] {
  const middle = Math.ceil(all.length / 2);
  return [all.slice(0, middle), all.slice(middle)];
}
