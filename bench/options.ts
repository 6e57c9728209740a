import { parseArgs } from 'node:util';
import { UserError } from '../cli/user-error';

export interface BenchOptions {
  rounds: number;
  /** How long each measurement of a round runs. */
  seconds: number;
  /** Names of measurements, or beginnings of them; all when empty. */
  only: string[];
  json: string | undefined;
  profile: boolean;
  /** Instead of the rest: compare books of this many entries with nearly empty ones. */
  books: number | undefined;
  /** Instead of the rest: what metrics, logs and traces cost. */
  seen: boolean;
}

export const USAGE = `npm run bench -- [options]

  --rounds <n>     how often everything is measured, in turn; medians are quoted (5)
  --seconds <n>    how long each measurement runs (5)
  --only <names>   comma-separated names of measurements, or how they begin: lane, pgbench/64, poster
  --json <file>    also write every figure of every round there
  --profile        run the API and the worker with a CPU profiler and print where their time went while they were loaded
  --seen           instead: what it costs that metrics, logs and traces show what happens (3 seconds each)
  --books <n>      instead: compare books of n entries with nearly empty ones (1000000 is what docs/performance.md quotes)
`;

export function readOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string' },
      only: { type: 'string', default: '' },
      json: { type: 'string' },
      profile: { type: 'boolean', default: false },
      books: { type: 'string' },
      seen: { type: 'boolean', default: false },
    },
  });
  return {
    rounds: wholeNumber('--rounds', values.rounds, 100),
    seconds: wholeNumber('--seconds', values.seconds ?? (values.seen ? '3' : '5'), 600),
    only: values.only.split(',').filter((name) => name !== ''),
    json: values.json,
    profile: values.profile,
    seen: values.seen,
    books: values.books === undefined ? undefined : wholeNumber('--books', values.books, 100_000_000),
  };
}

function wholeNumber(option: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new UserError(`${option} must be a whole number from 1 to ${max}.`, USAGE);
}
