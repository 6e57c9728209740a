import { execFile } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';

const HERE = path.join(__dirname, '../..');

export interface Said {
  code: number;
  out: string;
  err: string;
}

/** A command as people run it, of the build in a folder, told only what it is given here. */
export function holdfast(args: string[], given: Record<string, string>, release = HERE): Promise<Said> {
  const main = path.join(release, 'dist/cli/main.js');
  const env = { PATH: process.env['PATH'], HOLDFAST_ENV_FILE: os.devNull, ...given };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { env }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
    });
  });
}
