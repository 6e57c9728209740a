import { Command, InvalidArgumentError, Option } from 'commander';
import type { VerifyCommand } from './audit/run';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { loadConfig, loadDatabases, type Config } from './config';
import { packageRoot } from './embedded/package-root';
import { erasuresCommand } from './erasures';
import { keysCommand } from './keys';
import { localEnv } from './local-env';
import { opsCommand } from './ops';
import { shardsCommand } from './shards';
import { ENV_FILE_VARIABLE } from './settings';
import { UserError } from './user-error';

const REPOSTING = `Goes through what the other shards and the bank have ended since then and this shard doesn't know, and posts it again
under the ids it had: credits, debits, credits that are forbidden. The bank's news go into the inbox again. Each posting is
an event in the chain, and so in the audit. What can't be done is listed, with the reason, for people.
Verify the other shards first: what they say is taken for true. Run it before the processes are started, and again until
nothing is left that is not a person's to decide. docs/backup.md says step by step how a shard is restored.
Exits 0 when nothing is left.`;

/** The parts are loaded only when a command needs them, so that `status` doesn't wait for Temporal's native module. */
const program = new Command('holdfast')
  .description('A multi-currency wallet service where every movement of money is a durable Temporal workflow.')
  .version((JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version)
  .addHelpText(
    'after',
    '\nSettings are environment variables, also read from a file .env; .env.example lists and explains every one.',
  )
  .showHelpAfterError();

program
  .command('up')
  .summary('run everything on this machine: Postgres, Temporal, a bank, the API and a worker')
  .description(
    'Starts a Postgres and a Temporal of its own (or uses yours: HOLDFAST_DATABASE_URLS, TEMPORAL_ADDRESS), brings the\n' +
      'databases up to date, makes demo users, then runs a bank simulator (or uses your bank: HOLDFAST_BANK_URL), the API\n' +
      'and a worker. Whatever dies is started again.\n' +
      'Data is kept in .holdfast/ between runs. Ctrl-C stops everything.',
  )
  .action(async () => {
    const { up } = await import('./up.js');
    process.exit(await up(process.env));
  });

program
  .command('status')
  .summary('show what runs, and whether it is healthy')
  .description(
    'Lists each process of `holdfast up` with its pid, port and health, asked now. Exits 0 when all are healthy.',
  )
  .option('--json', 'print {"processes": [{name, pid, port, health}]} for programs')
  .action(async (options: { json?: boolean }) => {
    const { printStatus } = await import('./status.js');
    process.exit(await printStatus(process.env, options.json === true));
  });

/** Names the data folder in the process list; means nothing else. */
const beside = () => new Option('--beside <folder>').hideHelp();

program
  .command('api')
  .summary('run one API process')
  .description(
    'Serves HTTP on HOST:PORT, with /docs, /healthz and /readyz. Run as many as you like behind a load balancer.\n' +
      'SIGTERM finishes what was accepted, then ends.',
  )
  .addOption(beside())
  .action(async () => {
    const config = await readyConfig();
    const { requireFreePort } = await import('./embedded/ports.js');
    const { host, port } = config.http;
    await requireFreePort({ port, host, what: 'the API', variable: 'PORT' });
    const { runApi } = await import('./api.js');
    await runApi(config);
  });

program
  .command('worker')
  .summary('run one worker process')
  .description(
    'Works on workflows and activities; serves /healthz and /metrics on HOLDFAST_WORKER_HEALTH_PORT. Run as many as you like.\n' +
      'SIGTERM finishes what is under way, then ends.',
  )
  .addOption(beside())
  .action(async () => {
    const config = await readyConfig();
    const { runWorker } = await import('./worker.js');
    await runWorker(config);
  });

program
  .command('bank')
  .summary('run the bank simulator')
  .description(
    'A bank with books of its own, kept in HOLDFAST_BANK_DATABASE_URL: it collects, pays out, and tells the API by\n' +
      'webhook. Serves HOLDFAST_BANK_PORT, with a page at / that shows its books and switches faults. No money in it is real.',
  )
  .addOption(beside())
  .action(async () => {
    const { loadBankSettings } = await import('./bank-settings.js');
    const settings = loadBankSettings(localEnv(process.env));
    const { requireFreePort } = await import('./embedded/ports.js');
    const { host, port } = settings;
    await requireFreePort({ port, host, what: 'the bank simulator', variable: 'HOLDFAST_BANK_PORT' });
    const { runBank } = await import('./bank.js');
    await runBank(settings);
  });

program
  .command('migrate')
  .summary("bring every shard's database up to date")
  .description('Needs HOLDFAST_OWNER_DATABASE_URLS, or an instance of `holdfast up`. Safe to run again.')
  .action(async () => {
    const { migrate } = await import('./migrate.js');
    await migrate(loadDatabases(localEnv(process.env)), console.log);
    console.log('All databases are up to date.');
  });

program
  .command('seed')
  .summary('make the demo users and wallets (never in production)')
  .description(
    'Makes yunus, nick, andrew, house and ops, as far as they are not there. `holdfast up` does it by itself.',
  )
  .action(async () => {
    const config = configuration();
    if (config.production)
      throw new UserError('There is no demo data in production.', 'Leave HOLDFAST_ENV=production out.');
    const { seed } = await import('./seed.js');
    await seed(config);
  });

program
  .command('audit')
  .summary('prove that nobody changed the books or the audit')
  .command('verify')
  .description(
    'Recomputes every shard’s chain, and holds balances, holds, users and decisions against it. Posting goes on meanwhile.\n' +
      'Exit codes: 0 all is proven; 1 it could not be checked; 2 there are findings.',
  )
  .option('--checkpoint <file>', 'go on after the blocks it names, and write there how far all is proven')
  .option('--expect <sha256>', 'refuse another checkpoint than the one with this SHA-256')
  .option('--full', 'from the first block, whatever the checkpoint says')
  .option('--json', 'print the report as JSON')
  .action(async (options: VerifyCommand) => {
    const [{ runVerify }, { terminal }] = await Promise.all([import('./audit/run.js'), import('./ops/screen.js')]);
    process.exitCode = await runVerify(loadDatabases(localEnv(process.env)), options, terminal());
  });

program
  .command('roles')
  .summary('say what a user may do: how the first two admins come to be')
  .description(
    'All the roles of the user from now on. Afterwards, admins do it with PUT /v1/ops/users/<name>/roles; two of them, to\n' +
      'make somebody ops or admin.',
  )
  .argument('<username>')
  .argument('<roles...>', 'customer, ops, auditor, admin')
  .action(async (username: string, roles: string[]) => {
    const { setRoles } = await import('./roles.js');
    await setRoles(configuration(), username, roles);
  });

program
  .command('doctor')
  .summary('check everything Holdfast needs, and say what to do')
  .description('Checks Node, settings, Postgres, migrations, Temporal, search attributes and ports. Changes nothing.')
  .action(async () => {
    const { doctor } = await import('./doctor.js');
    process.exit(await doctor(process.env));
  });

program
  .command('reset')
  .summary('remove all data of `holdfast up` on this machine')
  .description(
    'Removes the data folder: books, workflows, secrets, logs. Refuses while it is in use. There is no way back.',
  )
  .action(async () => {
    const { reset } = await import('./reset.js');
    await reset(process.env);
  });

const books = program.command('books').summary('have the books prove themselves');

books
  .command('reconcile')
  .summary('hold the books against themselves, each other, and the bank')
  .description(
    'Does here and now what a Schedule does every few hours: docs/reconciliation.md names what it finds, and what to do.\n' +
      'Changes no money. Exits 0 when all of it could be done and nothing was found.',
  )
  .action(async () => {
    const { reconcileBooks } = await import('./books.js');
    process.exitCode = (await reconcileBooks(configuration(), console.log)) ? 0 : 1;
  });

books
  .command('rebuild')
  .summary('compute every balance anew from the entries, beside the one that is kept')
  .description(
    'Says which accounts differ in what they have, hold, or have used of limits, in minor units. Changes nothing without\n' +
      '--repair, and never an entry. Posting may go on. From zero, the newest snapshot is held against the entries as well.\n' +
      'Exits 0 when nothing differs, or all was repaired.',
  )
  .option('--from-snapshot', 'from the newest snapshot and the entries since: faster; without it from zero')
  .option('--repair', 'set what differs right; each repair is an event in the chain, and so in the audit')
  .action(async (options: { repair?: boolean; fromSnapshot?: boolean }) => {
    const { rebuildBooks } = await import('./books.js');
    process.exitCode = (await rebuildBooks(configuration(), options, console.log)) ? 0 : 1;
  });

books
  .command('repost')
  .summary('post again what a shard lost that was restored to an earlier moment, as far as others know it')
  .description(REPOSTING)
  .argument('<shard>', 'the number of the restored shard', shardNumber)
  .requiredOption(
    '--since <time>',
    'the moment to which it was restored, or a little before, such as 2026-01-31T02:15Z',
    moment,
  )
  .option('--dry-run', 'say what would be done, and do none of it')
  .action(async (shard: number, options: { since: Date; dryRun?: boolean }) => {
    const { repostBooks } = await import('./repost.js');
    process.exitCode = (await repostBooks(configuration(), { shard, ...options }, console.log)) ? 0 : 1;
  });

const exit = (code: number) => (process.exitCode = code);
program.addCommand(shardsCommand(process.env, exit));
program.addCommand(keysCommand(process.env, exit));
program.addCommand(erasuresCommand(process.env, exit));
program.addCommand(opsCommand(process.env, exit));

function shardNumber(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number, such as 0.');
}

function moment(text: string): Date {
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) && time <= new Date()) return time;
  throw new InvalidArgumentError('It must be a past time with its zone, such as 2026-01-31T02:15Z.');
}

function configuration(): Config {
  return loadConfig(localEnv(process.env));
}

async function readyConfig(): Promise<Config> {
  const config = configuration();
  const { requireServers } = await import('./preflight.js');
  await requireServers(config);
  return config;
}

/** What the person can mend is said in a sentence; what they can't is our mistake, and shows its stack. */
function fail(error: unknown): never {
  console.error(error instanceof UserError ? error.text : error);
  process.exit(1);
}

const envFile = process.env[ENV_FILE_VARIABLE] ?? path.join(packageRoot(), '.env');
if (existsSync(envFile)) process.loadEnvFile(envFile);
program.parseAsync().catch(fail);
