import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './prepare.mjs';
import { runNode, withProgress } from './run.mjs';

const bin = (file) => path.join(root, 'node_modules', file);
const CACHE = path.join(root, 'node_modules/.cache/holdfast');

const CHECKS = [
  ['types', [bin('typescript/bin/tsc'), '-p', 'tsconfig.json', '--incremental', '--tsBuildInfoFile', `${CACHE}/types`]],
  ['lint', [bin('eslint/bin/eslint.js'), '.']],
  ['format', [bin('prettier/bin/prettier.cjs'), '--check', '--cache', '--log-level', 'warn', '.']],
];

/** Types, lint, format, then jest with coverage. With arguments, as in `npm test -- ledger`, only jest, with them. */
export async function runTests(args) {
  if (args.length > 0) return report('test', await jest(['--config', 'jest.config.js', ...args]));
  mkdirSync(CACHE, { recursive: true });
  console.log('Checking types, lint and format');
  const checks = await withProgress('checking', () => Promise.all(CHECKS.map(runCheck)));
  const tests = await jest(['--config', 'jest.config.js', '--coverage']);
  return report('test', [...checks, ...tests]);
}

export async function runFaultTests(args) {
  return report('faults', await jest(['--config', 'jest.faults.config.js', '--runInBand', ...args]));
}

/** Suites that need more than this machine has by itself, each with a configuration of its own. */
export async function runJest(name, args) {
  return report(name, await jest(['--config', `jest.${name}.config.js`, '--runInBand', ...args]));
}

/** Pictures of the real Web UI for the docs; without a Chromium it says so, and takes none. */
export async function takeScreenshots(args) {
  return report('screenshots', await jest(['--config', 'jest.screenshots.config.js', ...args]));
}

/** One test, given more time than among the others: `--minutes 5 --seed …`. */
export async function runSoak(args) {
  const { values } = parseArgs({ args, options: { minutes: { type: 'string' }, seed: { type: 'string' } } });
  if (values.minutes !== undefined) process.env.HOLDFAST_SOAK_MINUTES = values.minutes;
  if (values.seed !== undefined) process.env.HOLDFAST_SOAK_SEED = values.seed;
  return report('soak', await jest(['--config', 'jest.faults.config.js', '--runInBand', 'test/faults/soak']));
}

/** The checks run beside each other, so what each says is printed when it is done, in one piece. */
async function runCheck([name, args]) {
  const { code, output } = await runNode(args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  if (code !== 0) console.log(`\n--- ${name} ---\n${output.trimEnd()}\n`);
  return { name, passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 };
}

/** Counts come from jest's own JSON; a suite that could not even run counts as one failed. */
async function jest(args) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-jest-'));
  try {
    const file = path.join(folder, 'jest.json');
    const { code } = await runNode([bin('jest/bin/jest.js'), '--json', '--outputFile', file, ...args], {
      cwd: root,
    });
    if (!existsSync(file)) return [{ name: 'jest', passed: 0, failed: 1 }];
    const counts = JSON.parse(readFileSync(file, 'utf8'));
    const failed = counts.numFailedTests + counts.numRuntimeErrorTestSuites;
    // Jest can fail with every test passed: a teardown that broke, a coverage threshold.
    return [{ name: 'tests', passed: counts.numPassedTests, failed: code !== 0 && failed === 0 ? 1 : failed }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(name, results) {
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  const counts = { passed: sum('passed'), failed: sum('failed') };
  console.log('');
  for (const { name, passed, failed } of results) {
    console.log(
      `${name.padEnd(8)}${name === 'tests' ? `${passed} passed, ${failed} failed` : failed ? 'FAILED' : 'passed'}`,
    );
  }
  // .ci/run adds up the counts of several runs.
  const folder = process.env.HOLDFAST_REPORT_DIR;
  if (folder) writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(counts));
  return counts.failed === 0 ? 0 : 1;
}
