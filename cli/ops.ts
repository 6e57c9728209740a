import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { TRANSACTION_TYPES, type DecisionKind } from '../contracts/statuses';
import type { OpsClient } from './ops/client';
import type { DecideOptions } from './ops/decide';
import type { ListOptions } from './ops/list';
import type { Screen } from './ops/screen';
import type { Env } from './settings';

const EXIT_CODES = `
Exit codes: 0 all was done; 1 nothing was; 2 some were refused or got no answer.
Many at once: retry --reason bank_not_answering tries again everything an outage left behind.`;

const DECISIONS: Record<DecisionKind, string> = {
  retry: 'try again now what needs attention',
  cancel: 'undo, where it is not too late',
  resolve: 'say how it ends, when the bank won’t: two people have to say the same',
  approve: 'let go on what awaits approval; never your own request',
  reject: 'turn down what awaits approval, and give back what was held',
};

/** `holdfast ops`: what waits for a person, over the API, as the person who is signed in. */
export function opsCommand(env: Env, exit: (code: number) => void): Command {
  const ops = new Command('ops')
    .summary('see what waits for a person, and decide about it')
    .description(
      'Talks to the API at HOLDFAST_URL as HOLDFAST_USER with HOLDFAST_PASSWORD, or with HOLDFAST_TOKEN.\n' +
        'Beside `holdfast up` it needs none of them.',
    );
  const run = async (work: (client: OpsClient, screen: Screen) => Promise<number>) => {
    const [{ OpsClient: Client }, { opsSettings }, { terminal }] = await Promise.all([
      import('./ops/client.js'),
      import('./ops/settings.js'),
      import('./ops/screen.js'),
    ]);
    const client = await Client.signIn(opsSettings(env));
    try {
      exit(await work(client, terminal()));
    } finally {
      await client.signOut();
    }
  };

  filtered(ops.command('list'))
    .summary('list what needs attention or awaits approval')
    .addOption(status())
    .addOption(limit())
    .option('--json', 'print them as JSON')
    .action((options: ListOptions) =>
      run(async (client, screen) => (await import('./ops/list.js')).list(client, options, screen)),
    );
  ops
    .command('show')
    .summary('show one transaction with its timeline')
    .argument('<id>', 'such as tx_0_…')
    .option('--json', 'print it as JSON')
    .action((id: string, options: { json?: boolean }) =>
      run(async (client, screen) => (await import('./ops/show.js')).show(client, id, options, screen)),
    );
  for (const kind of Object.keys(DECISIONS) as DecisionKind[]) {
    decision(ops, kind).action((ids: string[], options: DecideOptions) =>
      run(async (client, screen) => (await import('./ops/decide.js')).decide(client, kind, ids, options, screen)),
    );
  }
  inbox(ops, run);
  return ops;
}

function decision(ops: Command, kind: DecisionKind): Command {
  const command = filtered(ops.command(kind))
    .summary(DECISIONS[kind])
    .argument('[ids...]', 'transactions; or choose them by filter')
    .addOption(status())
    .option('--all', 'everything that waits for it')
    .addHelpText('after', EXIT_CODES);
  if (kind === 'resolve') {
    command.addOption(
      new Option('--outcome <outcome>', 'how it ends').choices(['completed', 'cancelled']).makeOptionMandatory(),
    );
  }
  return acting(command, kind === 'resolve');
}

function inbox(ops: Command, run: (work: (client: OpsClient, screen: Screen) => Promise<number>) => Promise<void>) {
  const command = ops.command('inbox').summary('what the bank told that nobody could place');
  command
    .command('list')
    .summary('list its events')
    .addOption(limit())
    .option('--json', 'print them as JSON')
    .action((options: { limit: number; json?: boolean }) =>
      run(async (client, screen) => (await import('./ops/list.js')).listInbox(client, options, screen)),
    );
  acting(
    command
      .command('resolve')
      .summary('put events away once they are seen to; moves no money')
      .addArgument(new Argument('<eventIds...>', 'as the list shows them')),
    true,
  ).action((eventIds: string[], options: DecideOptions) =>
    run(async (client, screen) => (await import('./ops/decide.js')).resolveInbox(client, eventIds, options, screen)),
  );
}

/** Whatever decides about many. */
function acting(command: Command, needsNote: boolean): Command {
  const note = new Option('--note <text>', 'why, kept with the decision');
  return command
    .addOption(needsNote ? note.makeOptionMandatory() : note)
    .addOption(new Option('--at-once <n>', 'how many requests at a time').default(8).argParser(between(1, 64)))
    .option('--yes', 'do not ask before deciding about many')
    .option('--json', 'print {"outcomes": {…}, "results": […]}');
}

function filtered(command: Command): Command {
  return command
    .addOption(new Option('--type <type>').choices(TRANSACTION_TYPES))
    .option('--reason <reason>', 'such as bank_not_answering')
    .option('--currency <code>', 'such as SGD')
    .option('--since <time>', 'asked for at or after: 2026-01-31, or with a time', time)
    .option('--until <time>', 'asked for before', time);
}

const status = () => new Option('--status <status>').choices(['needs_attention', 'awaiting_approval']);
const limit = () => new Option('--limit <n>', 'how many at most').default(50).argParser(between(1, 100_000));

function between(min: number, max: number) {
  return (text: string): number => {
    const number = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
    if (number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** As the API wants it: UTC. */
function time(text: string): string {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw new InvalidArgumentError('It must be a time like 2026-01-31T09:30Z.');
  return at.toISOString();
}
