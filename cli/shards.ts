import { Command, InvalidArgumentError } from 'commander';
import { loadDatabases, type Config } from './config';
import { localEnv } from './local-env';
import type { Env } from './settings';
import type { Move } from './shards/move';
import { UserError } from './user-error';

const HOW_IT_MOVES = `The target is named by HOLDFAST_MOVE_TO_URL (the application's role) and HOLDFAST_MOVE_TO_OWNER_URL: an empty database.
It is copied while the shard is in use. Then the shard takes no writes for some seconds, the two are compared, and the
source is shut for good. From then on its users are answered 503 until the processes are started with the new URL.
Whatever fails before that leaves the shard where it was. Ctrl-C does so, too. Killed, it is run again, or with --abort.
docs/sharding.md says step by step what it needs and does.`;

/** `holdfast shards`: where they are, and how one gets elsewhere. */
export function shardsCommand(env: Env, exit: (code: number) => void): Command {
  const shards = new Command('shards')
    .summary('list the shards, or move one to another database')
    .description('Where each shard is, and how one gets elsewhere. Needs the databases’ URLs and no other secret.');
  shards
    .command('list')
    .summary("list each shard's database, state and newest block")
    .description('Exits 0 when every shard is in use where HOLDFAST_DATABASE_URLS says.')
    .option('--json', 'print them as JSON')
    .action(async (options: { json?: boolean }) => {
      const [{ listShards }, { terminal }] = await Promise.all([import('./shards/list.js'), import('./ops/screen.js')]);
      exit(await listShards(loadDatabases(localEnv(env)), options, terminal()));
    });
  shards
    .command('move')
    .summary('move a whole shard to another database, in this or another Postgres server')
    .description(HOW_IT_MOVES)
    .argument('<shard>', 'its number', number)
    .option('--abort', 'take back a move that died, as long as the shard has not moved')
    .action(async (shard: number, { abort }: { abort?: boolean }) => {
      const [{ abortMove, moveShard }, { loadMoveTarget }] = await Promise.all([
        import('./shards/move.js'),
        import('./shards/settings.js'),
      ]);
      const complete = localEnv(env);
      const target = loadMoveTarget(complete);
      const move: Move = {
        ...sourceOf(loadDatabases(complete), shard),
        target,
        signal: stopSignal(),
        say: console.log,
      };
      await (abort ? abortMove(move) : moveShard(move));
    });
  return shards;
}

function sourceOf({ shards }: Pick<Config, 'shards'>, shard: number): Pick<Move, 'shard' | 'shardCount' | 'source'> {
  const found = shards[shard];
  if (!found) throw new UserError(`There is no shard ${shard}: they are numbered from 0 to ${shards.length - 1}.`);
  const { url, ownerUrl } = found;
  if (ownerUrl === undefined) {
    throw new UserError(
      'A shard is moved by the role that owns its tables.',
      'Set HOLDFAST_OWNER_DATABASE_URLS: the same databases as HOLDFAST_DATABASE_URLS, in the same order.',
    );
  }
  return { shard, shardCount: shards.length, source: { url, ownerUrl } };
}

/** The first signal takes the move back, as far as it can be; a second one ends it at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stop.abort(new UserError('The move was stopped.')));
  }
  return stop.signal;
}

function number(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number, such as 0.');
}
