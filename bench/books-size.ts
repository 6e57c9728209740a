import pg from 'pg';
import { ensureDatabase } from '../cli/embedded/postgres-databases';
import {
  measureProofs,
  measureSizes,
  proofsTable,
  sizesTable,
  type Proof,
  type Size as TableSize,
} from './books-proofs';
import { Child } from './child';
import { makeCustomers, type Customer } from './customers';
import type { LoadJob, LoadResult } from './load-jobs';
import type { BenchOptions } from './options';
import type { PosterJob, PosterResult } from './poster';
import { grid } from './report';
import type { Stack } from './stack';
import { median } from './stats';

/** What may grow at most when the books do. */
const GOAL = 1.3;
const WARM_UP_MS = 700;
const CLIENTS = 16;
const BATCH = 100;
const PAGE = 50;
/** So that the nearly empty books have a full first page of every wallet's history too: the same work, but for size. */
const FIRST_TRANSFERS = 4_000;

type Size = 'small' | 'large';

interface Compared {
  what: string;
  rates: Record<Size, number[]>;
}

/** The same measurements on nearly empty books and on large ones, in turn, on one Postgres. */
export async function compareBooks(
  stack: Stack,
  options: BenchOptions,
  say: (line: string) => void,
): Promise<{ compared: Compared[]; past: Past; proofs: Proof[]; sizes: TableSize[] }> {
  const books = new Books(stack, say);
  const load = Child.start<LoadJob, LoadResult>('load');
  try {
    const customers = await books.prepare(options.books!);
    const apis = {
      small: await stack.run('api', [stack.postgres.appUrl('books_small')]),
      large: await stack.run('api', [stack.postgres.appUrl('books_large')]),
    };
    const time = { warmUpMs: WARM_UP_MS, runMs: options.seconds * 1000 };
    const read = (path: string) => async (size: Size) => {
      const { port } = apis[size];
      const result = await load.ask({
        port,
        clients: CLIENTS,
        payers: customers,
        kind: { name: 'read', path },
        ...time,
      });
      if (result.errors > 0) throw new Error(`Reading ${path} failed: ${JSON.stringify(result.statuses)}`);
      return result.rate;
    };
    const measurements: { what: string; measure(size: Size): Promise<number> }[] = [
      { what: `posting, batches of ${BATCH}`, measure: (size) => books.postingRate(size, time) },
      { what: `balance over HTTP, ${CLIENTS} clients`, measure: read('/v1/wallets/{wallet}') },
      {
        what: `first history page (${PAGE}), ${CLIENTS} clients`,
        measure: read(`/v1/wallets/{wallet}/entries?limit=${PAGE}`),
      },
    ];
    const compared = measurements.map(({ what }): Compared => ({ what, rates: { small: [], large: [] } }));
    for (let round = 1; round <= options.rounds; round++) {
      for (const [index, { what, measure }] of measurements.entries()) {
        const { rates } = compared[index]!;
        for (const size of ['small', 'large'] as const) rates[size].push(await measure(size));
        say(
          `round ${round}/${options.rounds}  ${what}: ${rates.small.at(-1)!.toFixed(0)} and ${rates.large.at(-1)!.toFixed(0)}/s`,
        );
      }
    }
    say(`\n${tableOf(compared, options.books!)}`);
    const past = await comparePast(read, await books.halfway(), options.rounds);
    say(
      `\nA balance over HTTP, ${CLIENTS} clients: ${past.now.toFixed(0)}/s now, ${past.then.toFixed(0)}/s in the past`,
    );
    const proofs = await measureProofs(stack.postgres.appUrl('books_large'));
    say(`\n${proofsTable(proofs)}`);
    const sizes = await measureSizes(stack.postgres.ownerUrl('books_large'));
    say(`\n${sizesTable(sizes)}`);
    return { compared, past, proofs, sizes };
  } finally {
    await Promise.all([load.stop(), books.stop()]);
  }
}

interface Past {
  now: number;
  then: number;
}

/** Balances of the large books as they are, and as they were halfway through, in turn. */
async function comparePast(
  read: (path: string) => (size: Size) => Promise<number>,
  halfway: string,
  rounds: number,
): Promise<Past> {
  const rates = { now: [] as number[], then: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    rates.now.push(await read('/v1/wallets/{wallet}')('large'));
    rates.then.push(await read(`/v1/wallets/{wallet}/balance?at=${halfway}`)('large'));
  }
  return { now: median(rates.now), then: median(rates.then) };
}

/** The databases: a template nobody connects to, copies of it to read from and to post to, and the large one. */
class Books {
  private readonly poster = Child.start<PosterJob, PosterResult>('poster');
  private accounts: string[] = [];
  private copies = 0;

  constructor(
    private readonly stack: Stack,
    private readonly say: (line: string) => void,
  ) {}

  async prepare(entries: number): Promise<Customer[]> {
    this.say('Making the nearly empty books');
    const url = await this.stack.books('books_template');
    const customers = await makeCustomers([url], this.stack.configFor([url]).config);
    this.accounts = customers.map(({ accountId }) => accountId);
    await this.fill(url, FIRST_TRANSFERS);
    await this.copy('books_small');
    await this.copy('books_large');
    this.say(`Posting ${entries.toLocaleString('en')} entries to the large ones`);
    const large = this.stack.postgres.appUrl('books_large');
    const transfers = Math.ceil(entries / 2);
    const step = Math.max(1_000, Math.ceil(transfers / 10));
    for (let done = 0; done < transfers; done += step) {
      await this.fill(large, Math.min(step, transfers - done));
      this.say(`  ${Math.min(2 * (done + step), entries).toLocaleString('en')} entries`);
    }
    await settle(this.stack.postgres.adminUrl('books_large'));
    return customers;
  }

  /** The small books would grow while they are posted to, so every round posts to a fresh copy. */
  async postingRate(size: Size, until: { warmUpMs: number; runMs: number }): Promise<number> {
    const database = size === 'large' ? 'books_large' : await this.copy(`books_copy_${this.copies++}`);
    const url = this.stack.postgres.appUrl(database);
    return (await this.poster.ask({ url, accounts: this.accounts, batch: BATCH, until })).rate;
  }

  /** When half of the large books' blocks had been made. */
  async halfway(): Promise<string> {
    const client = new pg.Client({ connectionString: this.stack.postgres.ownerUrl('books_large') });
    await client.connect();
    const { rows } = await client.query<{ at: Date }>(
      'select at from blocks where number = (select max(number) / 2 from blocks)',
    );
    await client.end();
    return rows[0]!.at.toISOString();
  }

  stop(): Promise<void> {
    return this.poster.stop();
  }

  private async fill(url: string, transfers: number): Promise<void> {
    await this.poster.ask({ url, accounts: this.accounts, batch: 1_000, until: { transfers } });
  }

  private async copy(database: string): Promise<string> {
    await ensureDatabase(this.stack.adminUrl, database, 'books_template');
    return database;
  }
}

/** What autovacuum and the next checkpoint would do by themselves, done before the measurements instead of in one. */
async function settle(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  await client.query('vacuum analyze');
  await client.query('checkpoint');
  await client.end();
}

function tableOf(compared: readonly Compared[], entries: number): string {
  const rows = compared.map(({ what, rates }) => {
    const [small, large] = [median(rates.small), median(rates.large)];
    const ratio = small / large;
    const verdict = ratio <= GOAL ? 'goal' : 'ABOVE';
    return [what, small.toFixed(0), large.toFixed(0), ratio.toFixed(2), `<= ${GOAL}`, verdict];
  });
  return grid(['a second', 'nearly empty', `${entries.toLocaleString('en')} entries`, 'ratio', 'goal', ''], rows);
}
