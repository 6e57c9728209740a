// What the npm scripts run. It brings a bare clone to where the command can run, and does nothing twice; so it runs
// before node_modules exists, and imports nothing but Node's own modules.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { prepare, root } from './setup/prepare.mjs';
import { runFaultTests, runJest, runSoak, runTests, takeScreenshots } from './setup/checks.mjs';
import { exitLike, runNode } from './setup/run.mjs';

const [command, ...args] = process.argv.slice(2);

/** Ends as the child ended, so that the exit code and a signal reach whoever ran npm. */
const become = async (program, ...rest) => exitLike(await runNode([path.join(root, program), ...rest]));

const commands = {
  start: () => become('dist/cli/main.js', 'up', ...args),
  test: async () => process.exit(await runTests(args)),
  soak: async () => process.exit(await runSoak(args)),
  'test:faults': async () => process.exit(await runFaultTests(args)),
  'test:production': async () => process.exit(await runJest('production', args)),
  'test:e2e': async () => process.exit(await runJest('e2e', args)),
  screenshots: async () => process.exit(await takeScreenshots(args)),
  reset: () => become('dist/cli/main.js', 'reset', ...args),
  bench: () => {
    if (!existsSync(`${root}/dist/bench/main.js`)) throw new Error('There is no bench/main.ts to run.');
    return become('dist/bench/main.js', ...args);
  },
};

try {
  if (!Object.hasOwn(commands, command)) throw new Error(`Say one of: ${Object.keys(commands).join(', ')}.`);
  process.chdir(root);
  await prepare();
  await commands[command]();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
