import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { loadConfig } from './config';
import { localEnv } from './local-env';
import type { Env } from './settings';

const WHY = `A shard that is restored to a moment brings back whoever was erased since. So the list is kept away from the backups, and
erased again: docs/backup.md says when. It has ids only.`;

/** `holdfast erasures`: who was erased, for when a backup brings them back. */
export function erasuresCommand(env: Env, exit: (code: number) => void): Command {
  const erasures = new Command('erasures').summary('list who was erased, or erase them again').description(WHY);
  erasures
    .command('list')
    .summary('print the id of everybody who was erased, one a line')
    .action(async () => {
      const { listErasures } = await import('./erasures/list.js');
      await listErasures(loadConfig(localEnv(env)), console.log);
    });
  erasures
    .command('repeat')
    .summary('erase again whom a restored shard brought back')
    .description('Whoever still has money or something pending is named, and left. Exits 0 when nobody is left.')
    .argument('<file>', 'as `holdfast erasures list` prints it')
    .action(async (file: string) => {
      const { repeatErasures } = await import('./erasures/repeat.js');
      const ids = readFileSync(file, 'utf8').split(/\s+/).filter(Boolean);
      exit((await repeatErasures(loadConfig(localEnv(env)), ids, console.log)) ? 0 : 1);
    });
  return erasures;
}
