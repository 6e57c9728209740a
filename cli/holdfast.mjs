#!/usr/bin/env node
// The `holdfast` command: makes sure that what it runs is there and up to date, then becomes it.
import { prepare, root } from './setup/prepare.mjs';
import { exitLike, runNode } from './setup/run.mjs';

try {
  await prepare();
  exitLike(await runNode([`${root}/dist/cli/main.js`, ...process.argv.slice(2)]));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
