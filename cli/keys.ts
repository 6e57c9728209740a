import { Command, InvalidArgumentError } from 'commander';
import { loadConfig } from './config';
import { localEnv } from './local-env';
import type { Env } from './settings';

const HOW_IT_ROTATES = `Put the new key before the others in HOLDFAST_SEAL_KEYS, start every process anew, and rotate: data keys are wrapped by the
new one, in a workflow that pauses between batches and waits for shards that are down. Customers notice nothing.
Then \`holdfast keys list\` says which keys nothing needs any more. Run it again whenever you like.
What can't be opened is left, and named by its id. Exits 0 when nothing was left.`;

/** `holdfast keys`: which keys personal data needs, and changing them. */
export function keysCommand(env: Env, exit: (code: number) => void): Command {
  const keys = new Command('keys')
    .summary('see which keys personal data needs, or change them')
    .description('docs/privacy.md says how personal data is sealed.');
  keys
    .command('list')
    .summary('list the keys of HOLDFAST_SEAL_KEYS, and what needs each')
    .description('Exits 0 when every key that is needed is given.')
    .action(async () => {
      const { listKeys } = await import('./keys/list.js');
      exit((await listKeys(loadConfig(localEnv(env)), console.log)) ? 0 : 1);
    });
  keys
    .command('rotate')
    .summary('have everything wrapped by the newest key, while it is in use')
    .description(HOW_IT_ROTATES)
    .option('--data-keys', 'also seal names, addresses and bank accounts under new data keys')
    .option('--pause <ms>', 'between two batches of a hundred', milliseconds, 100)
    .action(async ({ dataKeys, pause }: { dataKeys?: boolean; pause: number }) => {
      const { isWhole, rotateKeys } = await import('./keys/rotate.js');
      const options = { newDataKeys: dataKeys === true, pauseMs: pause };
      exit(isWhole(await rotateKeys(loadConfig(localEnv(env)), options, console.log)) ? 0 : 1);
    });
  return keys;
}

function milliseconds(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number of milliseconds, such as 100.');
}
