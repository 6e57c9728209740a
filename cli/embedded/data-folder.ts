import { createHash } from 'node:crypto';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../user-error';
import { readJson, writeJson } from './json-file';
import { packageRoot } from './package-root';
import { canReach, likelyPostgresUser } from './system-user';

/** Where the parts of one instance keep their files. */
export interface DataFolder {
  path: string;
  /** The Postgres cluster; outside of `path` when the user that runs Postgres can't get there. */
  cluster: string;
  /** Where Postgres's binaries are copied when that user can't reach the clone. */
  reachableCopies: string;
  temporalDb: string;
  secrets: string;
  state: string;
  lock: string;
  log(name: string): string;
}

/** What is fixed when the folder is first set up, and must not change with a variable later. */
export interface Instance {
  shards: number;
  cluster: string;
}

const OUTSIDE = '/var/cache/holdfast';

export function dataFolder(dataDir: string): DataFolder {
  const known = readInstance(dataDir);
  return {
    path: dataDir,
    cluster: known?.cluster ?? chooseCluster(dataDir),
    reachableCopies: outside(),
    temporalDb: path.join(dataDir, 'temporal.sqlite'),
    secrets: path.join(dataDir, 'secrets.json'),
    state: path.join(dataDir, 'state.json'),
    lock: path.join(dataDir, 'lock.json'),
    log: (name) => path.join(dataDir, 'logs', `${name}.log`),
  };
}

export function readInstance(dataDir: string): Instance | undefined {
  const stored = readJson<Instance>(path.join(dataDir, 'instance.json'));
  // Stored relative, so that a clone can be moved with its data.
  return stored && { ...stored, cluster: path.resolve(dataDir, stored.cluster) };
}

/** How many shards it was made with, or would be. */
export function shardCountOf(dataDir: string, wantedShards: number | undefined): number {
  return readInstance(dataDir)?.shards ?? wantedShards ?? 2;
}

/** Makes the folder on the first start, and says later what it was made with. */
export function openInstance(folder: DataFolder, wantedShards: number | undefined): Instance {
  const known = readInstance(folder.path);
  if (known === undefined) {
    const instance = { shards: shardCountOf(folder.path, wantedShards), cluster: folder.cluster };
    const inside = !path.relative(folder.path, folder.cluster).startsWith('..');
    const cluster = inside ? path.relative(folder.path, folder.cluster) : folder.cluster;
    writeJson(path.join(folder.path, 'instance.json'), { ...instance, cluster });
    return instance;
  }
  if (wantedShards !== undefined && wantedShards !== known.shards) {
    throw new UserError(
      `HOLDFAST_SHARDS is ${wantedShards}, but the data in ${folder.path} was set up with ${known.shards}: where a user's` +
        ' money is depends on this number, so it never changes.',
      'Leave HOLDFAST_SHARDS out, choose another HOLDFAST_DATA_DIR, or `npm run reset` to begin anew.',
    );
  }
  return known;
}

export function makeFolder(dataDir: string): void {
  try {
    // Others may walk through, as the user that runs Postgres has to, but not look around.
    mkdirSync(dataDir, { recursive: true });
    chmodSync(dataDir, 0o711);
    mkdirSync(path.join(dataDir, 'logs'), { recursive: true, mode: 0o700 });
    accessSync(dataDir, constants.W_OK);
    accessSync(path.join(dataDir, 'logs'), constants.W_OK);
  } catch (error) {
    throw new UserError(
      `The data folder ${dataDir} can't be written by this user (${(error as Error).message}).`,
      'It may have been made by another user, such as root: run as that user, or choose another HOLDFAST_DATA_DIR.',
    );
  }
}

function chooseCluster(dataDir: string): string {
  const inside = path.join(dataDir, 'postgres');
  return canReach(dataDir, likelyPostgresUser())
    ? inside
    : path.join(outside(), `cluster-${shortHash(realPath(dataDir))}`);
}

/** Named after the clone, for people; and by its whole path, so that two clones of one name don't meet. */
function outside(): string {
  const clone = realPath(packageRoot());
  return path.join(OUTSIDE, `${path.basename(clone).replaceAll(/[^A-Za-z0-9._-]/g, '_')}-${shortHash(clone)}`);
}

/** Removes everything of an instance. The copied binaries serve the whole clone, so they go with its own folder. */
export function removeFolder(folder: DataFolder): string[] {
  const removed: string[] = [];
  const remove = (each: string) => {
    if (!existsSync(each)) return;
    rmSync(each, { recursive: true, force: true });
    removed.push(each);
  };
  remove(folder.path);
  remove(folder.cluster);
  const others = existsSync(folder.reachableCopies) ? readdirSync(folder.reachableCopies) : [];
  const isMain = path.dirname(folder.path) === packageRoot();
  if (isMain && !others.some((name) => name.startsWith('cluster-'))) remove(folder.reachableCopies);
  return removed;
}

function realPath(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder; // not made yet: its name is its real one
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}
