import type { AccountId } from '../contracts/ids';
import { Child } from './child';
import { makeCustomers, type Customer } from './customers';
import type { LoadJob, LoadResult } from './load-jobs';
import { HOW_TO_GET_PGBENCH, Pgbench } from './pgbench';
import type { PosterJob, PosterResult } from './poster';
import type { OurProcess, Stack } from './stack';
import { TwoShards } from './two-shards';
import type { TemporalJob, TemporalResult } from './temporal';

/** One figure of one round. */
export interface Figure {
  /** A second: transfers, workflows or answers. */
  rate?: number;
  p50?: number;
  p99?: number;
  errors?: number;
  statuses?: Record<string, number>;
}

export interface Measurement {
  name: string;
  what: string;
  measure(): Promise<Figure>;
}

export const PAYMENTS = ['deposit', 'withdrawal'] as const;
export type Answered = Record<'transfer' | (typeof PAYMENTS)[number], number>;

const WARM_UP_MS = 700;
/** Long enough that what the one before set going is over. */
const REST_MS = 100;
const EMPTY_IN_FLIGHT = 32;
const LANE_CLIENTS = [1, 16, 64, 256];
const SHARDS_CLIENTS = [64, 256];
/** As many payments in flight as empty workflows. */
const PAYMENT_CLIENTS = EMPTY_IN_FLIGHT;
const WAIT_SECONDS = 30;
const BULK = { clients: 4, size: 500 };
const PGBENCH_CLIENTS = [1, 64];
const BATCHES = [1, 100, 1000];

/** Everything the measurements need, started once. */
export class Bench {
  private constructor(
    readonly api: OurProcess,
    private readonly worker: OurProcess,
    /** Settles at once, unless it was started again otherwise. */
    private bank: OurProcess,
    readonly twoShards: TwoShards,
    private readonly stack: Stack,
    readonly customers: Customer[],
    private readonly posterBooks: { url: string; accounts: AccountId[] },
    private readonly pgbench: Pgbench | undefined,
    private readonly children: {
      load: Child<LoadJob, LoadResult>;
      temporal: Child<TemporalJob, TemporalResult>;
      express: Child<'port', number>;
      poster: Child<PosterJob, PosterResult>;
    },
  ) {}

  /** What the load client was told has been done, over all rounds. */
  readonly answered: Answered = { transfer: 0, deposit: 0, withdrawal: 0 };

  static async start(stack: Stack, say: (line: string) => void, nodeOptions: string[]): Promise<Bench> {
    say('Making the databases and 50 customers');
    const [url, posterUrl] = [await stack.books('holdfast_0'), await stack.books('bench_poster')];
    const { config } = stack.configFor([url]);
    const customers = await makeCustomers([url], config);
    const accounts = (await makeCustomers([posterUrl], config)).map(({ accountId }) => accountId);
    const pgbench = await Pgbench.prepare(stack);
    if (!pgbench) say(HOW_TO_GET_PGBENCH);
    say('Starting the API, a worker and the bank');
    const [api, worker] = await Promise.all([
      stack.run('api', [url], { nodeOptions }),
      stack.run('worker', [url], { nodeOptions }),
    ]);
    const bank = await stack.runBank(api, 0);
    const twoShards = await TwoShards.start(stack);
    const children = {
      load: Child.start<LoadJob, LoadResult>('load'),
      temporal: Child.start<TemporalJob, TemporalResult>('temporal', {
        BENCH_TEMPORAL_ADDRESS: stack.temporal.address,
      }),
      express: Child.start<'port', number>('empty-express'),
      poster: Child.start<PosterJob, PosterResult>('poster'),
    };
    await Promise.all([children.temporal.ask({ name: 'ready' }), children.express.ask('port')]);
    return new Bench(api, worker, bank, twoShards, stack, customers, { url: posterUrl, accounts }, pgbench, children);
  }

  /** The parts whose processor time is watched: the first process of each. */
  get parts(): Record<string, number> {
    const { load, temporal, express, poster } = this.children;
    return {
      api: this.api.pid,
      'api of two shards': this.twoShards.api.pid,
      worker: this.worker.pid,
      bank: this.bank.pid,
      temporal: this.stack.temporal.pid,
      postgres: this.stack.postgres.pid,
      load: load.pid,
      'empty workflows': temporal.pid,
      express: express.pid,
      poster: poster.pid,
      bench: process.pid,
    };
  }

  get profiled(): [name: string, pid: number][] {
    return [
      ['api', this.api.pid],
      ['worker', this.worker.pid],
    ];
  }

  async stopProfiled(): Promise<void> {
    await Promise.all([this.api.stop(), this.worker.stop()]);
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.children).map((child) => child.stop()));
  }

  /** The bank goes on with what it knows, and settles after another while. */
  async restartBank(settleAfterMs: number): Promise<void> {
    await this.bank.stop();
    this.bank = await this.stack.runBank(this.api, settleAfterMs);
  }

  /** What the bank says it has for us, in minor units. */
  async bankBalance(currency: string): Promise<bigint> {
    const answer = await fetch(`${this.bank.config.bank.url}/v1/balances`);
    const { balances } = (await answer.json()) as { balances: { currency: string; amountMinor: string }[] };
    return BigInt(balances.find((each) => each.currency === currency)?.amountMinor ?? 0);
  }

  /** In the order in which a round takes them. */
  measurements(seconds: number): Measurement[] {
    const { load, temporal, express, poster } = this.children;
    const time = { warmUpMs: WARM_UP_MS, runMs: seconds * 1000 };
    const api = async (clients: number, kind: LoadJob['kind'], restMs?: number): Promise<Figure> => {
      const result = await load.ask({ port: this.api.port, clients, restMs, payers: this.customers, kind, ...time });
      this.answered[kind.name === 'deposit' || kind.name === 'withdrawal' ? kind.name : 'transfer'] += result.all;
      return result;
    };
    const start = async (restMs: number): Promise<Figure> => {
      const { p50, p99 } = await temporal.ask({ name: 'start', restMs, ...time });
      return { p50, p99 };
    };
    const list: Measurement[] = [
      { name: 'start', what: 'StartWorkflow, alone', measure: () => start(REST_MS) },
      {
        name: 'lane/alone',
        what: 'a transfer over HTTP, alone',
        measure: async () => ({ ...(await api(1, { name: 'transfer' }, REST_MS)), rate: undefined }),
      },
      ...PAYMENTS.map((name) => ({
        name: `${name}/alone`,
        what: `a ${name} over HTTP until it is durable, alone`,
        measure: async () => ({ ...(await api(1, { name }, REST_MS)), rate: undefined }),
      })),
      { name: 'start/loop', what: 'StartWorkflow, one after another', measure: () => start(0) },
      {
        name: 'empty',
        what: `empty workflows, ${EMPTY_IN_FLIGHT} in flight`,
        measure: () => temporal.ask({ name: 'empty', inFlight: EMPTY_IN_FLIGHT, ...time }),
      },
      ...PAYMENTS.map((name) => ({
        name,
        what: `${name}s over HTTP to completion, ${PAYMENT_CLIENTS} clients`,
        measure: () => api(PAYMENT_CLIENTS, { name, waitSeconds: WAIT_SECONDS }),
      })),
      ...LANE_CLIENTS.map((clients) => ({
        name: `lane/${clients}`,
        what: `transfers over HTTP, ${clients} ${clients === 1 ? 'client' : 'clients'}`,
        measure: () => api(clients, { name: 'transfer' }),
      })),
      ...SHARDS_CLIENTS.flatMap((clients) =>
        (['same', 'other'] as const).map((between) => ({
          name: `shards/${between}/${clients}`,
          what: `transfers ${between === 'same' ? 'within two shards' : 'between two shards'}, ${clients} clients`,
          measure: () => this.twoShards.load((job) => load.ask(job), between, { clients, ...time }),
        })),
      ),
      {
        name: 'bulk',
        what: `bulk requests of ${BULK.size}, ${BULK.clients} clients`,
        measure: () => api(BULK.clients, { name: 'bulk', size: BULK.size }),
      },
      {
        name: 'express',
        what: 'Express answering nothing, 256 clients',
        measure: async () =>
          load.ask({
            port: await express.ask('port'),
            clients: 256,
            payers: this.customers,
            kind: { name: 'transfer' },
            ...time,
          }),
      },
      ...BATCHES.map((batch) => ({
        name: `poster/${batch}`,
        what: `the poster alone, batches of ${batch.toLocaleString('en')}`,
        measure: () => poster.ask({ ...this.posterBooks, batch, until: time }),
      })),
    ];
    const { pgbench } = this;
    if (!pgbench) return list;
    const floor = PGBENCH_CLIENTS.map((clients) => ({
      name: `pgbench/${clients}`,
      what: `pgbench, ${clients} ${clients === 1 ? 'client' : 'clients'}`,
      measure: async () => {
        const { rate, meanMs } = await pgbench.measure(clients, seconds);
        return { rate, p50: meanMs };
      },
    }));
    return [...list, ...floor];
  }
}
