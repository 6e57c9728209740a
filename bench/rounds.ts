import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../cli/user-error';
import { checkBooks } from './books-check';
import { watchCpu } from './cpu';
import { Bench, type Figure, type Measurement } from './measurements';
import type { BenchOptions } from './options';
import { printProfile, type Window } from './profile';
import type { Series } from './report';
import type { Stack } from './stack';
import { measureTemporalCosts, type TemporalCost } from './temporal-cost';

/** Between two measurements: what the first one left under way ends here rather than in the second. */
const PAUSE_MS = 500;

export interface BenchResults {
  series: Series[];
  costs: TemporalCost[];
}

/** Every measurement, in turn, as often as there are rounds: so that a slow minute of the machine touches all alike. */
export async function runRounds(
  stack: Stack,
  options: BenchOptions,
  say: (line: string) => void,
): Promise<BenchResults> {
  const profiles = path.join(stack.folder.path, 'profile');
  mkdirSync(profiles);
  const profiler = ['--cpu-prof', '--cpu-prof-interval', '500', '--cpu-prof-dir', profiles];
  const bench = await Bench.start(stack, say, options.profile ? profiler : []);
  try {
    const warm = new Map(bench.measurements(1).map((each) => [each.name, each]));
    const chosen = bench.measurements(options.seconds).filter(({ name }) => isChosen(name, options.only));
    if (chosen.length === 0) throw new UserError('--only names nothing that is measured.');
    const series: Series[] = chosen.map(({ name, what }) => ({ name, what, figures: [] }));
    const windows: Window[] = [];
    say('Warming up: everything once, briefly, not counted');
    for (const { name } of chosen) await warm.get(name)!.measure();
    for (let round = 1; round <= options.rounds; round++) {
      for (const [index, measurement] of chosen.entries()) {
        const from = process.hrtime.bigint();
        const figure = await watched(bench, measurement);
        windows.push({ name: measurement.name, from, to: process.hrtime.bigint() });
        series[index]!.figures.push(figure);
        say(`round ${round}/${options.rounds}  ${measurement.name.padEnd(12)} ${inShort(figure)}`);
        await sleep(PAUSE_MS);
      }
    }
    const costs = await measureTemporalCosts(bench);
    await checkBooks(stack, bench, say);
    await bench.twoShards.check(say);
    if (options.profile) {
      await bench.stopProfiled(); // that is when the profiles are written
      const loaded = windows.filter(({ name }) => /^(lane|bulk|deposit|withdrawal)/.test(name));
      for (const [name, pid] of bench.profiled) printProfile(profiles, { name, pid }, loaded, say);
    }
    return { series, costs };
  } finally {
    await bench.stop();
  }
}

async function watched(bench: Bench, measurement: Measurement): Promise<Series['figures'][number]> {
  const read = watchCpu(bench.parts);
  const figure = await measurement.measure();
  const cores = read?.();
  return { ...figure, ...(cores && { cores }) };
}

const isChosen = (name: string, only: string[]) =>
  only.length === 0 || only.some((wanted) => name === wanted || name.startsWith(`${wanted}/`));

function inShort({ rate, p50, errors }: Figure): string {
  const parts = [
    ...(rate === undefined || Number.isNaN(rate) ? [] : [`${rate.toFixed(rate < 100 ? 1 : 0)}/s`]),
    ...(p50 === undefined ? [] : [`p50 ${p50.toFixed(1)} ms`]),
    ...(errors ? [`${errors} ERRORS`] : []),
  ];
  return parts.join('  ');
}
