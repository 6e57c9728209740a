import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { packageRoot } from './package-root';
import { startedAt } from './processes';

let guard: ChildProcess | undefined;

/** The one guard of this process, started when it is first needed; it ends by itself when we do. */
function pipe(): NodeJS.WritableStream {
  if (guard === undefined || guard.exitCode !== null) {
    guard = spawn(process.execPath, [path.join(packageRoot(), 'cli/embedded/guard-process.mjs')], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true, // a Ctrl-C in the terminal must not reach it
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    guard.unref();
    (guard.stdin as unknown as { unref?: () => void }).unref?.();
    guard.stdin!.on('error', () => {});
    guard.on('error', () => {});
  }
  return guard.stdin!;
}

/** From now on, should this process vanish, the guard stops the child. */
export function guardChild(pid: number, signal: NodeJS.Signals): void {
  pipe().write(`watch ${pid} ${signal} ${startedAt(pid) ?? 'gone'}\n`);
}

export function forgetChild(pid: number): void {
  if (guard !== undefined) pipe().write(`forget ${pid}\n`);
}
