import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';

const ROTATE_BYTES = 20 * 1024 * 1024;

/** The end of a log, for a message about a process that died. */
export function lastLines(file: string, count: number): string {
  if (!existsSync(file)) return '';
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(-count)
    .map((line) => `    ${line}`)
    .join('\n');
}

/** Logs grow for as long as something runs; at each start one older file is kept. */
export function rotateLog(file: string): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat !== undefined && stat.size > ROTATE_BYTES) renameSync(file, `${file}.1`);
}
