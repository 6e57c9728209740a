import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { must, run, runNode, withProgress } from './run.mjs';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

const inRoot = (...parts) => path.join(root, ...parts);
const STAMP = inRoot('node_modules', '.holdfast-installed');
const NOT_SOURCES = new Set(['node_modules', 'dist', 'coverage', 'test', 'docs', 'deploy', 'console']);

/** Installs and builds what is missing or out of date. When nothing is, this takes a fraction of a second. */
export async function prepare() {
  checkNode();
  // In production the image was built once, and nothing may change it; a package without sources has nothing to build.
  if (process.env.HOLDFAST_ENV === 'production' || !existsSync(inRoot('tsconfig.build.json'))) {
    if (existsSync(inRoot('dist/cli/main.js'))) return;
    throw new Error('dist/ is missing: build it with `npm ci && npm run build` before you deploy.');
  }
  await oneAtATime(async () => {
    await install();
    await build();
  });
}

function checkNode() {
  const wanted = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')).engines.node.replace('>=', '');
  const [wantMajor, wantMinor] = wanted.split('.').map(Number);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < wantMajor || (major === wantMajor && minor < wantMinor)) {
    throw new Error(
      `Holdfast needs Node ${wanted} or later; this is ${process.versions.node}.\n  Install a newer one: https://nodejs.org`,
    );
  }
}

async function install() {
  const lock = readFileSync(inRoot('package-lock.json'), 'utf8');
  const stamp = hash([lock, process.platform, process.arch, process.versions.modules]);
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp) return;
  if (!isInstalled(JSON.parse(lock))) {
    console.log('Installing packages from package-lock.json (needed once, and when it changes; a minute or so)');
    // Without the packages for development, tsc and the tests would be missing, whatever NODE_ENV says.
    const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
    const npm = process.env.npm_execpath;
    const asNode = npm !== undefined && /npm-cli\.c?js$/.test(npm);
    const result = await withProgress('installing packages', () =>
      asNode
        ? runNode([npm, ...args], { cwd: root })
        : run('npm', args, { cwd: root, shell: process.platform === 'win32' }),
    );
    await must('`npm ci`', result);
  }
  writeFileSync(STAMP, stamp);
}

/** Whether what npm says it installed is what the lock file says, so that an `npm i` by hand isn't thrown away. */
function isInstalled(lock) {
  const hidden = inRoot('node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const there = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  return Object.entries(lock.packages).every(([name, wanted]) => {
    if (name === '' || there[name]?.version === wanted.version) return true;
    const forUs = [wanted.os, wanted.cpu].every(
      (list, index) => !list || list.includes([process.platform, process.arch][index]),
    );
    return there[name] === undefined && wanted.optional === true && !(forUs && wanted.os && !wanted.libc);
  });
}

async function build() {
  const sources = hashOfFiles(sourceFiles(root));
  const built = existsSync(inRoot('dist/cli/main.js'));
  if (!built) rmSync(inRoot('dist'), { recursive: true, force: true }); // or tsc takes what is gone for up to date
  if (!built || !isStamped('sources', sources)) {
    console.log('Compiling TypeScript to dist/ (needed when the sources changed)');
    const result = await withProgress('compiling', () =>
      runNode([inRoot('node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], { cwd: root }),
    );
    await must('Compiling', result);
    writeStamp('sources', sources);
  }
  const bundler = inRoot('dist/worker/bundle.js');
  if (!existsSync(bundler)) return;
  const lock = readFileSync(inRoot('package-lock.json'), 'utf8');
  const folders = ['workflows', 'contracts', 'worker'].map((name) => inRoot(name)).filter(existsSync);
  const bundled = hash([hashOfFiles(folders.flatMap(sourceFiles)), lock]);
  const bundles = ['', '-sealed', '-traced', '-sealed-traced'].map((kind) => `dist/workflow-bundle${kind}.js`);
  if (isStamped('bundle', bundled) && bundles.every((file) => existsSync(inRoot(file)))) return;
  console.log('Bundling the workflows, so that every worker starts fast (needed when they changed)');
  await must('Bundling the workflows', await withProgress('bundling', () => runNode([bundler], { cwd: root })));
  writeStamp('bundle', bundled);
}

function sourceFiles(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return NOT_SOURCES.has(entry.name) || entry.name.startsWith('.') ? [] : sourceFiles(file);
    return /\.ts$|^tsconfig.*\.json$|^package-lock\.json$/.test(entry.name) ? [file] : [];
  });
}

const hashOfFiles = (files) => hash(files.sort().flatMap((file) => [path.relative(root, file), readFileSync(file)]));

function hash(parts) {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part).update('\0');
  return sum.digest('hex');
}

const stampFile = (name) => inRoot('dist', `.stamp-${name}`);
const isStamped = (name, value) => existsSync(stampFile(name)) && readFileSync(stampFile(name), 'utf8') === value;
function writeStamp(name, value) {
  mkdirSync(inRoot('dist'), { recursive: true });
  writeFileSync(stampFile(name), value);
}

/** `npm start` beside `npm test` in a bare clone: the second waits, instead of installing over the first. */
async function oneAtATime(work) {
  const lock = inRoot('.holdfast/setup.lock');
  for (let said = false; ;) {
    try {
      mkdirSync(path.dirname(lock), { recursive: true });
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw new Error(`${root} can't be written: ${error.message}`, { cause: error });
    }
    const holder = readText(lock);
    // Empty: it is being written at this moment, or whoever made it died right then.
    const ageMs = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (holder === '' ? ageMs > 5_000 : !isAlive(Number(holder))) rmSync(lock, { force: true });
    else if (!said) {
      console.log('Another set-up is under way in this folder; waiting for it');
      said = true;
    }
    await sleep(200);
  }
  // The process may end in here (a Ctrl-C, a failed step): the lock must not stay behind.
  const release = () => rmSync(lock, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
