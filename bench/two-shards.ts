import pg from 'pg';
import { makeCustomers, type Customer } from './customers';
import type { LoadJob, LoadResult } from './load-jobs';
import type { OurProcess, Stack } from './stack';

const DATABASES = ['two_0', 'two_1'];
const NAMESPACE = 'two-shards';

/** An API over two shards, beside the one that all else is measured on, with workflows of its own. */
export class TwoShards {
  /** What the load client was told has been done, over all rounds. */
  private answered = 0;

  private constructor(
    readonly api: OurProcess,
    private readonly stack: Stack,
    private readonly customers: Customer[],
  ) {}

  static async start(stack: Stack): Promise<TwoShards> {
    const urls: string[] = [];
    for (const [shard, name] of DATABASES.entries()) urls.push(await stack.books(name, shard, DATABASES.length));
    const namespace = await stack.namespace(NAMESPACE);
    const customers = await makeCustomers(urls, stack.configFor(urls).config);
    return new TwoShards(await stack.run('api', urls, { namespace }), stack, customers);
  }

  /** Transfers between two shards, or within either. */
  async load(
    client: (job: LoadJob) => Promise<LoadResult>,
    between: 'same' | 'other',
    job: Pick<LoadJob, 'clients' | 'warmUpMs' | 'runMs'>,
  ): Promise<LoadResult> {
    const kind = { name: 'transfer', between } as const;
    const result = await client({ ...job, port: this.api.port, payers: this.customers, kind });
    this.answered += result.all;
    return result;
  }

  /** What was answered is in the books, and what one shard owes the other is nothing. */
  async check(say: (line: string) => void): Promise<void> {
    const rows = await Promise.all(DATABASES.map((name) => this.read(name)));
    const sum = (key: 'done' | 'open' | 'clearing') => rows.reduce((total, row) => total + BigInt(row[key]), 0n);
    if (sum('open') > 0n) throw new Error(`${sum('open')} transfers on two shards have not ended`);
    if (sum('done') < this.answered) throw new Error(`${this.answered} were answered, two shards have ${sum('done')}`);
    if (sum('clearing') !== 0n) throw new Error(`Two shards owe each other ${sum('clearing')}`);
    say(`${this.answered} x transfer on two shards was answered; the books have ${sum('done')}, and clear to zero.`);
  }

  private async read(database: string) {
    const client = new pg.Client({ connectionString: this.stack.postgres.ownerUrl(database) });
    await client.connect();
    try {
      const { rows } = await client.query<{ done: string; open: string; clearing: string }>(`
        select count(*) filter (where status = 'completed' and type = 'transfer' and not incoming) as done,
          count(*) filter (where completed_at is null) as open,
          (select coalesce(sum(balance), 0) from accounts where id like '%@clearing%') as clearing
        from transactions`);
      return rows[0]!;
    } finally {
      await client.end();
    }
  }
}
