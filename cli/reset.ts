import { dataFolder, removeFolder } from './embedded/data-folder';
import { lockHolder } from './embedded/lock';
import { stopProcess } from './embedded/processes';
import { loadLocalSettings } from './local-settings';
import type { Env } from './settings';
import { leftOver, readState } from './state';
import { UserError } from './user-error';

/** Removes all data of the instance on this folder: books, workflows, secrets and logs. */
export async function reset(env: Env): Promise<void> {
  const folder = dataFolder(loadLocalSettings(env).dataDir);
  const holder = lockHolder(folder.lock);
  if (holder !== undefined) {
    throw new UserError(
      `Holdfast is running on ${folder.path} (pid ${holder.pid}), so its data stays.`,
      `Stop it first: Ctrl-C where it runs, or \`kill ${holder.pid}\`.`,
    );
  }
  const state = readState(folder.state);
  for (const { identity } of state === undefined ? [] : leftOver(state)) {
    await stopProcess(identity, [{ signal: 'SIGTERM', waitMs: 5_000 }]);
  }
  const removed = removeFolder(folder);
  console.log(removed.length === 0 ? 'There was nothing to remove.' : `Removed ${removed.join(', ')}.`);
}
