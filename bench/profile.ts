import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../cli/embedded/package-root';

/** When a measurement ran, on the clock that V8's profiles use too. */
export interface Window {
  name: string;
  from: bigint;
  to: bigint;
}

interface CpuProfile {
  nodes: { id: number; callFrame: CallFrame; children?: number[] }[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

interface CallFrame {
  functionName: string;
  url: string;
  lineNumber: number;
}

const SHOWN_FUNCTIONS = 70;
const NOT_OURS = new Set(['(garbage collector)', '(program)', '(root)']);

/** Prints where a process's threads spent their time while it was loaded, and keeps the profiles for other tools. */
export function printProfile(
  folder: string,
  { name: part, pid }: { name: string; pid: number },
  windows: readonly Window[],
  say: (line: string) => void,
): void {
  // CPU.<date>.<time>.<pid>.<thread>.<number>.cpuprofile; the main thread is 0.
  const files = readdirSync(folder).filter((file) => file.endsWith('.cpuprofile') && file.split('.')[3] === `${pid}`);
  for (const file of files) {
    const thread = file.split('.').at(-3);
    const name = thread === '0' ? 'main thread' : `workflow thread ${thread}`;
    const kept = path.join(packageRoot(), '.holdfast', `bench-${part}-${name.replaceAll(' ', '-')}.cpuprofile`);
    copyFileSync(path.join(folder, file), kept);
    const profile = JSON.parse(readFileSync(kept, 'utf8')) as CpuProfile;
    say(`\nThe ${part}'s ${name} while it was loaded (for Chrome's DevTools or speedscope: ${kept})`);
    printSums(profile, windows, thread === '0' ? SHOWN_FUNCTIONS : 10, say);
  }
}

function printSums(profile: CpuProfile, windows: readonly Window[], shown: number, say: (line: string) => void): void {
  const times = selfTimes(profile, windows);
  const parents = parentsOf(profile);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const wall = sum(times.values());
  for (const id of times.keys()) if (nodes.get(id)!.callFrame.functionName === '(idle)') times.delete(id);
  const total = sum(times.values());
  say(`busy ${((100 * total) / wall).toFixed(0)} % of the time; shares of that:`);
  const byFunction = new Map<string, number>();
  const byPart = new Map<string, number>();
  const inclusive = new Map<string, number>();
  for (const [id, time] of times) {
    const frame = nodes.get(id)!.callFrame;
    add(byFunction, nameOf(frame), time);
    add(byPart, partOf(id, nodes, parents), time);
    const seen = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const name = nameOf(nodes.get(at)!.callFrame);
      if (name.includes(':')) seen.add(name);
    }
    for (const name of seen) add(inclusive, name, time);
  }
  const print = (title: string, sums: Map<string, number>) => {
    say(`\n${title}`);
    const sorted = [...sums].sort((a, b) => b[1] - a[1]).slice(0, shown);
    for (const [name, time] of sorted) say(`  ${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`);
  };
  print('by part (self time)', byPart);
  print('by function (self time)', byFunction);
  print('by function (with all it calls)', inclusive);
}

/** Microseconds by node, of the samples inside the windows. */
function selfTimes(profile: CpuProfile, windows: readonly Window[]): Map<number, number> {
  const spans = windows.map(({ from, to }) => [Number(from / 1000n), Number(to / 1000n)] as const);
  const times = new Map<number, number>();
  let at = profile.startTime;
  profile.samples.forEach((node, index) => {
    const delta = profile.timeDeltas[index]!;
    at += delta;
    if (spans.some(([from, to]) => at >= from && at < to)) times.set(node, (times.get(node) ?? 0) + delta);
  });
  return times;
}

function parentsOf(profile: CpuProfile): Map<number, number> {
  return new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name}  ${placeOf(url)}:${lineNumber + 1}`;
}

/** A file below the clone as we name it, or the package it belongs to. */
function placeOf(url: string): string {
  const file = url.replace(/^file:\/\//, '').replace(`${packageRoot()}/`, '');
  return file.slice(Math.max(0, file.lastIndexOf('node_modules/')));
}

/** Native helpers count for whoever called them. */
function partOf(id: number, nodes: Map<number, CpuProfile['nodes'][number]>, parents: Map<number, number>): string {
  const own = nodes.get(id)!.callFrame;
  if (NOT_OURS.has(own.functionName)) return own.functionName;
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const { url } = nodes.get(at)!.callFrame;
    if (url === '') continue;
    const place = placeOf(url);
    const pkg = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(place);
    if (pkg) return pkg[1]!;
    if (place.startsWith('node:')) return place.split('/').slice(0, 2).join('/');
    return place.replace(/^dist\//, '');
  }
  return own.functionName;
}

function add(sums: Map<string, number>, key: string, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
