import { execFile } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';

const MAIN = path.join(__dirname, '../../dist/cli/main.js');

export interface Said {
  code: number;
  out: string;
  err: string;
}

/** A command as people run it, told only what it is given here. */
export function holdfast(args: string[], given: Record<string, string>): Promise<Said> {
  const env = { PATH: process.env['PATH'], HOLDFAST_ENV_FILE: os.devNull, ...given };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
    });
  });
}
