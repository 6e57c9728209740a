import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { UserError } from '../cli/user-error';
import { compareBooks } from './books-size';
import { runRounds } from './rounds';
import { readOptions, USAGE, type BenchOptions } from './options';
import { printReport } from './report';
import { compareSeen } from './seen';
import { Stack } from './stack';
import { printTemporalCosts } from './temporal-cost';

const say = (line: string) => console.log(line);

async function main(): Promise<void> {
  if (process.argv.includes('--help')) return say(USAGE);
  const options = readOptions(process.argv.slice(2));
  const stack = await Stack.start(say);
  stopOnSignal(stack);
  let results: unknown;
  try {
    results = await measure(stack, options);
  } finally {
    await stack.stop();
  }
  if (options.json) {
    const machine = { cpus: os.cpus().length, model: os.cpus()[0]?.model, node: process.version };
    writeFileSync(options.json, `${JSON.stringify({ at: new Date(), machine, options, results }, null, 2)}\n`);
    say(`\nEvery figure of every round: ${options.json}`);
  }
}

async function measure(stack: Stack, options: BenchOptions): Promise<unknown> {
  if (options.seen) return compareSeen(stack, options, say);
  if (options.books !== undefined) return compareBooks(stack, options, say);
  const results = await runRounds(stack, options, say);
  printReport(results.series, say);
  printTemporalCosts(results.costs, say);
  return results;
}

/** What runs is stopped and the data folder removed, also on a Ctrl-C. */
function stopOnSignal(stack: Stack): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      say('\nStopping');
      void stack.stop().finally(() => process.exit(130));
    });
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof UserError ? error.text : error);
  process.exitCode = 1;
});
