import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../cli/embedded/package-root';
import { LATEST_MIGRATION } from '../../migrations';

/** Since this decision releases run beside the one before them. */
const SINCE = 'docs/decisions/0024-releases-side-by-side.md';
const root = packageRoot();

function run(program: string, args: string[], cwd = root): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, NODE_ENV: 'development' },
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${error?.message ?? stdout + stderr}`);
  return stdout.trim();
}

const git = (...args: string[]): string => run('git', args);
const isIn = (ancestor: string, commit: string): boolean =>
  spawnSync('git', ['merge-base', '--is-ancestor', ancestor, commit], { cwd: root }).status === 0;
const addedIn = (file: string): string | undefined =>
  git('log', '-1', '--format=%H', '--diff-filter=A', '--', file) || undefined;

/**
 * The commit that a new release is held against: the newest tag of a release; without one, the last before the newest
 * migration, if releases ran side by side then already. Undefined where there is no history.
 */
export function releaseBefore(): string | undefined {
  if (spawnSync('git', ['rev-parse', 'HEAD~1'], { cwd: root }).status !== 0) return undefined;
  const tag = spawnSync('git', ['describe', '--tags', '--abbrev=0', '--match=v*', 'HEAD~1'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (tag.status === 0) return git('rev-list', '-1', tag.stdout.trim());
  const first = addedIn(SINCE) ?? git('rev-parse', 'HEAD');
  const migrated = addedIn(`migrations/${LATEST_MIGRATION}.ts`);
  return migrated !== undefined && isIn(first, `${migrated}~1`) ? git('rev-parse', `${migrated}~1`) : first;
}

/** The folder of a commit's build, made once and kept. Its packages are ours, unless its lock file is another. */
export function buildOf(commit: string): string {
  const folder = path.join(root, '.holdfast/releases', commit);
  if (existsSync(folder)) return folder;
  mkdirSync(path.dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}.unfinished-`);
  try {
    run('sh', ['-c', `git archive ${commit} | tar -x -C '${work}'`]);
    const lock = (of: string) => readFileSync(path.join(of, 'package-lock.json'), 'utf8');
    const ours = lock(work) === lock(root);
    if (!ours) run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], work);
    run(
      process.execPath,
      [path.join(ours ? root : work, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
      work,
    );
    run(process.execPath, ['dist/worker/bundle.js'], work);
    renameSync(work, folder);
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
