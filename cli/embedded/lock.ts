import { randomUUID } from 'node:crypto';
import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { UserError } from '../user-error';
import { readJson } from './json-file';
import { identify, isRunning, type ProcessIdentity } from './processes';

interface Lock extends ProcessIdentity {
  id: string;
}

/** Who runs on a data folder now; undefined when nobody does, also when a crash left the lock behind. */
export function lockHolder(file: string): ProcessIdentity | undefined {
  const lock = readJson<Lock>(file);
  return lock !== undefined && isRunning(lock) ? lock : undefined;
}

/** One instance a folder. The lock names a process by pid and start time, so a crash never leaves it held. */
export function takeLock(file: string, dataDir: string): { release(): void } {
  const mine: Lock = { ...identify(process.pid), id: randomUUID() };
  const prepared = `${file}.${mine.id}`;
  writeFileSync(prepared, JSON.stringify(mine));
  try {
    for (;;) {
      try {
        linkSync(prepared, file); // unlike a rename, fails when the name is taken
        return { release: () => releaseLock(file, mine) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = readJson<Lock>(file);
      if (holder === undefined) continue;
      if (isRunning(holder)) {
        throw new UserError(
          `The data folder ${dataDir} is in use by another Holdfast (pid ${holder.pid}).`,
          `See it with \`npx holdfast status\`, stop it with \`kill ${holder.pid}\`, or use another folder: HOLDFAST_DATA_DIR=<folder>.`,
        );
      }
      removeStale(file, holder);
    }
  } finally {
    rmSync(prepared, { force: true });
  }
}

/** Two that start at once may both find the same stale lock; neither may remove the fresh one the other has made. */
function removeStale(file: string, stale: Lock): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch {
    return; // the other one was quicker
  }
  if (readJson<Lock>(aside)?.id === stale.id) rmSync(aside);
  else renameSync(aside, file);
}

function releaseLock(file: string, mine: Lock): void {
  if (readJson<Lock>(file)?.id === mine.id) rmSync(file, { force: true });
}
