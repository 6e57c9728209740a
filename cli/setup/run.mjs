import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a program in our place: it has our terminal, it gets the signals we get, and we stay until it has ended.
 * A Ctrl-C reaches it twice then, from the terminal and from us; what we run takes that as once.
 */
export function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
    const pass = (signal) => child.kill(signal);
    for (const signal of SIGNALS) process.on(signal, pass);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      for (const name of SIGNALS) process.off(name, pass);
      resolve({ code, signal, output });
    });
  });
}

export const runNode = (args, options) => run(process.execPath, args, options);

export function exitLike({ code, signal }) {
  process.exit(signal === null ? code : 128 + (constants.signals[signal] ?? 0));
}

/** For a step that has to succeed before the next: a signal ends us too, a failure says what failed. */
export async function must(what, result) {
  if (result.signal !== null || result.code >= 128) exitLike(result);
  if (result.code !== 0) throw new Error(`${what} failed (exit code ${result.code}); what it said is above.`);
}

/** Says that something slow is still going on, since silence looks like a hang. */
export async function withProgress(what, work) {
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1000);
  const timer = setInterval(() => console.log(`  still ${what}: ${seconds()} s so far`), 15_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
