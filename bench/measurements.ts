import type { AccountId } from '../contracts/ids';
import { Child } from './child';
import { makeCustomers, type Customer } from './customers';
import type { LoadJob, LoadResult } from './load-jobs';
import { HOW_TO_GET_PGBENCH, Pgbench } from './pgbench';
import type { PosterJob, PosterResult } from './poster';
import type { OurProcess, Stack } from './stack';
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

const WARM_UP_MS = 700;
/** Long enough that what the one before set going is over. */
const REST_MS = 100;
const EMPTY_IN_FLIGHT = 32;
const LANE_CLIENTS = [1, 16, 64, 256];
const BULK = { clients: 4, size: 500 };
const PGBENCH_CLIENTS = [1, 64];
const BATCHES = [1, 100, 1000];

/** Everything the measurements need, started once. */
export class Bench {
  private constructor(
    readonly api: OurProcess,
    private readonly worker: OurProcess,
    private readonly stack: Stack,
    private readonly customers: Customer[],
    private readonly posterBooks: { url: string; accounts: AccountId[] },
    private readonly pgbench: Pgbench | undefined,
    private readonly children: {
      load: Child<LoadJob, LoadResult>;
      temporal: Child<TemporalJob, TemporalResult>;
      express: Child<'port', number>;
      poster: Child<PosterJob, PosterResult>;
    },
  ) {}

  /** Successes the load client saw from the lane, over all rounds. */
  succeeded = 0;

  static async start(stack: Stack, say: (line: string) => void, apiOptions: string[]): Promise<Bench> {
    say('Making the databases and 50 customers');
    const [url, posterUrl] = [await stack.books('holdfast_0'), await stack.books('bench_poster')];
    const { config } = stack.configFor(url);
    const customers = await makeCustomers(url, config);
    const accounts = (await makeCustomers(posterUrl, config)).map(({ accountId }) => accountId);
    const pgbench = await Pgbench.prepare(stack);
    if (!pgbench) say(HOW_TO_GET_PGBENCH);
    say('Starting the API and a worker');
    const [api, worker] = await Promise.all([stack.run('api', url, apiOptions), stack.run('worker', url)]);
    const children = {
      load: Child.start<LoadJob, LoadResult>('load'),
      temporal: Child.start<TemporalJob, TemporalResult>('temporal', {
        BENCH_TEMPORAL_ADDRESS: stack.temporal.address,
      }),
      express: Child.start<'port', number>('empty-express'),
      poster: Child.start<PosterJob, PosterResult>('poster'),
    };
    await Promise.all([children.temporal.ask({ name: 'ready' }), children.express.ask('port')]);
    return new Bench(api, worker, stack, customers, { url: posterUrl, accounts }, pgbench, children);
  }

  /** The parts whose processor time is watched: the first process of each. */
  get parts(): Record<string, number> {
    const { load, temporal, express, poster } = this.children;
    return {
      api: this.api.pid,
      worker: this.worker.pid,
      temporal: this.stack.temporal.pid,
      postgres: this.stack.postgres.pid,
      load: load.pid,
      'empty workflows': temporal.pid,
      express: express.pid,
      poster: poster.pid,
      bench: process.pid,
    };
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.children).map((child) => child.stop()));
  }

  /** In the order in which a round takes them. */
  measurements(seconds: number): Measurement[] {
    const { load, temporal, express, poster } = this.children;
    const time = { warmUpMs: WARM_UP_MS, runMs: seconds * 1000 };
    const lane = async (clients: number, kind: LoadJob['kind'], restMs?: number): Promise<Figure> => {
      const result = await load.ask({ port: this.api.port, clients, restMs, payers: this.customers, kind, ...time });
      this.succeeded += result.all;
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
        measure: async () => ({ ...(await lane(1, { name: 'transfer' }, REST_MS)), rate: undefined }),
      },
      { name: 'start/loop', what: 'StartWorkflow, one after another', measure: () => start(0) },
      {
        name: 'empty',
        what: `empty workflows, ${EMPTY_IN_FLIGHT} in flight`,
        measure: () => temporal.ask({ name: 'empty', inFlight: EMPTY_IN_FLIGHT, ...time }),
      },
      ...LANE_CLIENTS.map((clients) => ({
        name: `lane/${clients}`,
        what: `transfers over HTTP, ${clients} ${clients === 1 ? 'client' : 'clients'}`,
        measure: () => lane(clients, { name: 'transfer' }),
      })),
      {
        name: 'bulk',
        what: `bulk requests of ${BULK.size}, ${BULK.clients} clients`,
        measure: () => lane(BULK.clients, { name: 'bulk', size: BULK.size }),
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
