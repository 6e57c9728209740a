import fc from 'fast-check';
import { STEPS, quiesce } from '../support/model/commands';
import { Deployment } from '../support/model/deployment';
import { Money } from '../support/model/money';

const runs = Number(process.env['HOLDFAST_MODEL_RUNS'] ?? 12);
const LIMIT_MS = 60_000 + runs * 20_000;
/** What a failure prints, to see it again. */
const { HOLDFAST_MODEL_SEED: seed, HOLDFAST_MODEL_PATH: path, HOLDFAST_MODEL_REPLAY: replayPath } = process.env;

let real: Deployment;
beforeAll(async () => {
  real = await Deployment.start();
});
afterAll(() => real?.close());

test(
  'whatever is asked for, in whatever order, with whatever away: balances, holds and outcomes are a simple model’s',
  async () => {
    const commands = fc.commands(STEPS, { maxCommands: 30, size: 'max', ...(replayPath && { replayPath }) });
    const property = fc.asyncProperty(commands, async (steps) => {
      await real.begin();
      const money = new Money();
      try {
        await fc.asyncModelRun(() => ({ model: money, real }), steps);
      } catch (error) {
        await real.recover();
        throw error;
      }
      await quiesce(money, real);
    });
    const again = { ...(seed && { seed: Number(seed) }), ...(path && { path }) };
    // Shrinking runs it all again and again: it goes as far as the time does.
    await fc.assert(property, { numRuns: runs, skipAllAfterTimeLimit: LIMIT_MS, ...again });
    await real.booksAreWhole();
  },
  LIMIT_MS + 120_000,
);
