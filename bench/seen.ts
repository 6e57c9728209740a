import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../cli/embedded/package-root';
import { Child } from './child';
import { watchCpu } from './cpu';
import { makeCustomers, type Customer } from './customers';
import type { LoadJob, LoadResult } from './load-jobs';
import type { BenchOptions } from './options';
import { grid } from './report';
import type { OurProcess, Stack } from './stack';
import { median } from './stats';

const WARM_UP_MS = 700;
const PAUSE_MS = 300;
/** How long the one client rests, as when a transfer alone is measured elsewhere. */
const REST_MS = 100;

interface Way {
  name: string;
  what: string;
  env: (collector: string) => Record<string, string>;
  /** Of what it does with nothing seen; a transfer alone may take as much longer. */
  goal?: number;
}

const traced = (ratio: string) => (collector: string) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector,
  OTEL_TRACES_SAMPLER_ARG: ratio,
});

const WAYS: readonly Way[] = [
  { name: 'off', what: 'all off', env: () => ({ HOLDFAST_METRICS: 'off', LOG_LEVEL: 'silent' }) },
  { name: 'seen', what: 'metrics and logs', env: () => ({}), goal: 0.9 },
  { name: 'traced/10', what: 'and traces of 10 %', env: traced('0.1'), goal: 0.85 },
  { name: 'traced/100', what: 'and traces of all', env: traced('1') },
];

const LOADS = [
  { name: 'alone', what: 'p50 alone, ms', clients: 1, restMs: REST_MS },
  { name: '64', what: '64 clients, /s', clients: 64 },
  { name: '256', what: '256 clients, /s', clients: 256 },
] as const;

type Figures = Record<(typeof LOADS)[number]['name'], number[]>;

interface Seen {
  way: Way;
  api: OurProcess;
  customers: Customer[];
  figures: Figures;
  /** Cores that the API kept busy at the most clients, for each thousand transfers a second. */
  cores: number[];
  errors: number;
}

/** The same API with ever more to be seen of it, side by side: each with books and workflows of its own. */
export async function compareSeen(stack: Stack, options: BenchOptions, say: (line: string) => void): Promise<unknown> {
  const load = Child.start<LoadJob, LoadResult>('load');
  const collector = Child.start<'port', number>('collector');
  try {
    say('Starting four APIs');
    const url = `http://127.0.0.1:${await collector.ask('port')}`;
    const all: Seen[] = [];
    for (const [index, way] of WAYS.entries()) all.push(await start(stack, way, `seen_${index}`, url));
    say('Warming up: everything once, briefly, not counted');
    for (const { clients } of LOADS) for (const seen of all) await measure(load, seen, { clients }, 1_000);
    for (let round = 0; round < options.rounds; round++) {
      for (const each of LOADS) {
        // Whoever comes first in one round comes last in another.
        for (const [index] of WAYS.entries()) {
          const seen = all[(index + round) % WAYS.length]!;
          await takeFigure(load, seen, each, options.seconds * 1_000);
        }
        const last = all.map(({ way, figures }) => `${way.name} ${figures[each.name].at(-1)!.toFixed(1)}`);
        say(`round ${round + 1}/${options.rounds}  ${each.what}: ${last.join('  ')}`);
      }
    }
    const table = tableOf(all);
    say(`\n${table}\n`);
    for (const { way, api } of all) if (way.name.startsWith('traced')) say(`${way.what}: spans ${await spansOf(api)}`);
    const file = path.join(packageRoot(), '.holdfast', 'bench-seen.txt');
    writeFileSync(file, `${table}\n`);
    say(`This table: ${file}`);
    return all.map(({ way, figures, cores, errors }) => ({ way: way.name, figures, cores, errors }));
  } finally {
    await Promise.all([load.stop(), collector.stop()]);
  }
}

async function start(stack: Stack, way: Way, name: string, collector: string): Promise<Seen> {
  const urls = [await stack.books(name)];
  const customers = await makeCustomers(urls, stack.configFor(urls).config);
  const namespace = await stack.namespace(name.replace('_', '-'));
  const api = await stack.run('api', urls, { namespace, env: way.env(collector) });
  return { way, api, customers, figures: { alone: [], 64: [], 256: [] }, cores: [], errors: 0 };
}

async function takeFigure(
  load: Child<LoadJob, LoadResult>,
  seen: Seen,
  each: (typeof LOADS)[number],
  runMs: number,
): Promise<void> {
  const readCores = watchCpu({ api: seen.api.pid });
  const { rate, p50, errors } = await measure(load, seen, each, runMs);
  const busy = readCores?.()['api'];
  seen.figures[each.name].push(each.name === 'alone' ? p50 : rate);
  seen.errors += errors;
  if (each.name === '256' && busy !== undefined) seen.cores.push(busy / (rate / 1_000));
  await sleep(PAUSE_MS);
}

async function measure(
  load: Child<LoadJob, LoadResult>,
  { api, customers }: Seen,
  { clients, restMs }: { clients: number; restMs?: number },
  runMs: number,
): Promise<LoadResult> {
  const kind = { name: 'transfer' } as const;
  const job: LoadJob = { port: api.port, payers: customers, kind, clients, restMs, warmUpMs: WARM_UP_MS, runMs };
  // As somebody's Prometheus would, once in a while.
  await scrape(api).catch(() => undefined);
  return load.ask(job);
}

async function scrape({ config }: OurProcess): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${config.metrics.port}/metrics`);
  return answer.text();
}

async function spansOf(api: OurProcess): Promise<string> {
  const lines = (await scrape(api)).matchAll(/^holdfast_spans_total\{outcome="(\w+)"\} (\d+)/gm);
  return [...lines].map(([, outcome, count]) => `${outcome} ${count}`).join(', ');
}

/** Ratios are of the same round, since a slow minute of the machine touches all that is in it. */
function tableOf(all: readonly Seen[]): string {
  const [off] = all as [Seen];
  const header = ['', ...LOADS.flatMap(({ what }) => [what, 'of off']), 'cores for 1,000/s', 'goal', '', 'errors'];
  const rows = all.map((seen) => {
    const ratios = LOADS.map(({ name }) => pairedRatio(seen.figures[name], off.figures[name]));
    const shown = LOADS.flatMap(({ name }, index) => [
      median(seen.figures[name]).toFixed(name === 'alone' ? 1 : 0),
      seen === off ? '' : ratios[index]!.toFixed(2),
    ]);
    const cores = seen.cores.length === 0 ? '' : median(seen.cores).toFixed(2);
    return [seen.way.what, ...shown, cores, ...verdictOf(seen.way, ratios), seen.errors || ''];
  });
  return grid(header, rows);
}

function pairedRatio(figures: readonly number[], off: readonly number[]): number {
  return median(figures.map((figure, round) => figure / off[round]!));
}

function verdictOf({ goal }: Way, [alone, ...rates]: number[]): [string, string] {
  if (goal === undefined) return ['', ''];
  const isReached = rates.every((rate) => rate >= goal) && alone! <= 2 - goal;
  return [`>= ${goal}`, isReached ? 'reached' : 'MISSED'];
}
