import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { UserError } from '../user-error';
import { exitOf, describeExit } from './processes';

/** Pinned: its dev server's flags, its SQLite schema and its behaviour are what we tested. */
export const TEMPORAL_CLI_VERSION = 'v1.5.1';

type Say = (line: string) => void;

const INFO_TIMEOUT_MS = 5_000;
const DOWNLOAD_TIMEOUT_MS = 180_000;
const PROGRESS_EVERY_MS = 15_000;

const programName = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

function cacheFolder(env: NodeJS.ProcessEnv): string {
  return cached(`temporal-cli-${TEMPORAL_CLI_VERSION.slice(1)}`, env);
}

/** Where the user keeps what is made once, under a name that has its version. */
export function cached(name: string, env: NodeJS.ProcessEnv = process.env): string {
  return path.join(env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'holdfast', name);
}

/** The `temporal` program: on PATH, in the user's cache, downloaded, or built from source, in this order. */
export async function findTemporal(say: Say = () => {}, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const ready = findReadyTemporal(env);
  if (ready !== undefined) return ready;

  const program = path.join(cacheFolder(env), programName);
  const tried: string[] = [];
  for (const get of [download, build]) {
    mkdirSync(cacheFolder(env), { recursive: true });
    const work = mkdtempSync(path.join(cacheFolder(env), 'unfinished-'));
    try {
      const made = await get(work, say, env);
      // Renamed when whole: whoever looks in the cache, also a second builder, sees all of it or nothing.
      renameSync(made, program);
      return program;
    } catch (error) {
      tried.push(error instanceof Error ? error.message : String(error));
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  throw new UserError(
    `There is no Temporal server to be had: ${tried.join('; ')}.`,
    [
      'Any one of these will do:',
      '- point TEMPORAL_ADDRESS at a Temporal server that runs already;',
      `- install the Temporal CLI (${TEMPORAL_CLI_VERSION} or later) so that \`temporal\` is on PATH;`,
      `- put it at ${program};`,
      '- install Go 1.25 or later, and Holdfast builds it (about six minutes, once).',
    ].join('\n'),
  );
}

/** One that is there already. */
export function findReadyTemporal(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const candidates = [findOnPath(programName, env), path.join(cacheFolder(env), programName)];
  return candidates.find((file) => file !== undefined && existsSync(file) && works(file));
}

function findOnPath(program: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return (env.PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => path.join(folder, program))
    .find((file) => existsSync(file));
}

/** Whether it runs here and is the server's CLI; what is found may be for another machine, or another program. */
function works(file: string): boolean {
  const answer = spawnSync(file, ['--version'], { encoding: 'utf8', timeout: 15_000 });
  return answer.status === 0 && /temporal version/i.test(answer.stdout);
}

/** What the SDK itself does to get a dev server: ask where the archive for this platform is, then fetch and unpack it. */
async function download(work: string, say: Say): Promise<string> {
  const platform = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[process.platform as string];
  const arch = { x64: 'amd64', arm64: 'arm64' }[os.arch()];
  if (platform === undefined || arch === undefined) throw new Error('no official download for this platform');
  try {
    const where = await fetch(
      `https://temporal.download/cli/${TEMPORAL_CLI_VERSION}?arch=${arch}&platform=${platform}&format=tar.gz`,
      { signal: AbortSignal.timeout(INFO_TIMEOUT_MS) },
    );
    if (!where.ok) throw new Error(`HTTP ${where.status}`);
    const { archiveUrl, fileToExtract } = (await where.json()) as { archiveUrl: string; fileToExtract: string };
    say(`Downloading the Temporal CLI ${TEMPORAL_CLI_VERSION} (once)`);
    const archive = await fetch(archiveUrl, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
    if (!archive.ok) throw new Error(`HTTP ${archive.status}`);
    writeFileSync(path.join(work, 'archive.tar.gz'), Buffer.from(await archive.arrayBuffer()));
    const untar = spawnSync('tar', ['-xzf', 'archive.tar.gz', fileToExtract], { cwd: work, encoding: 'utf8' });
    if (untar.status !== 0) throw new Error(`tar: ${untar.stderr ?? untar.error?.message}`);
    return checked(path.join(work, fileToExtract));
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    throw new Error(`the official download can't be reached (${why})`, { cause: error });
  }
}

/** Works where only package registries are reachable: Go's module proxy has the CLI's source. */
async function build(work: string, say: Say, env: NodeJS.ProcessEnv): Promise<string> {
  const go = findGo(env);
  if (go === undefined) throw new Error('Go, to build it from source, is not installed');
  say(
    `Building the Temporal CLI ${TEMPORAL_CLI_VERSION} from source with Go: no ready-made one can be reached from here.`,
  );
  say('This takes about six minutes on two cores, once; the result is kept for every later start.');
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1000);
  const progress = setInterval(
    () => say(`  still building the Temporal CLI: ${seconds()} s so far`),
    PROGRESS_EVERY_MS,
  );
  try {
    const args = ['install', '-ldflags', '-s -w', `github.com/temporalio/cli/cmd/temporal@${TEMPORAL_CLI_VERSION}`];
    const child = spawn(go, args, { env: { ...env, GOBIN: work, GOFLAGS: '' }, stdio: ['ignore', 'ignore', 'pipe'] });
    const kill = () => child.kill(); // whoever stops us doesn't want two busy cores for minutes
    process.once('exit', kill);
    void exitOf(child).then(() => process.off('exit', kill));
    let complaints = '';
    child.stderr.on('data', (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-2_000)));
    const exit = await exitOf(child);
    if (exit.code !== 0) {
      const last = complaints.trim().split('\n').slice(-3).join(' / ');
      throw new Error(`\`go install\` failed (${describeExit(exit)}: ${last})`);
    }
    say(`Built the Temporal CLI in ${seconds()} s`);
    return checked(path.join(work, programName));
  } finally {
    clearInterval(progress);
  }
}

export function findGo(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return findOnPath(process.platform === 'win32' ? 'go.exe' : 'go', env) ?? commonGo();
}

function commonGo(): string | undefined {
  return ['/usr/local/go/bin/go', '/opt/homebrew/bin/go', '/usr/lib/go/bin/go'].find((file) => existsSync(file));
}

function checked(file: string): string {
  if (!works(file)) throw new Error(`${path.basename(file)} was made but does not run`);
  return file;
}
