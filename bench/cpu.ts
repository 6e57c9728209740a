import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

/** How many cores each part kept busy, by its name; `others` is everything on the machine that isn't ours. */
export type CoresBusy = Record<string, number>;

/** Clock ticks a second in /proc: fixed on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;

interface Process {
  parent: number;
  ticks: number;
}

/** Starts watching the processor time of parts, given by the pid of each one's first process. Undefined off Linux. */
export function watchCpu(parts: Record<string, number>): (() => CoresBusy) | undefined {
  if (process.platform !== 'linux') return undefined;
  const began = performance.now();
  const before = ticksOf(parts);
  const machineBefore = machineTicks();
  return () => {
    const seconds = (performance.now() - began) / 1000;
    const after = ticksOf(parts);
    const cores = (ticks: number) => Math.max(0, ticks / TICKS_A_SECOND / seconds);
    const busy: CoresBusy = {};
    for (const name of Object.keys(parts)) busy[name] = cores((after[name] ?? 0) - (before[name] ?? 0));
    const ours = Object.values(busy).reduce((sum, each) => sum + each, 0);
    busy['others'] = Math.max(0, cores(machineTicks() - machineBefore) - ours);
    return busy;
  };
}

function ticksOf(parts: Record<string, number>): Record<string, number> {
  const processes = readProcesses();
  const roots = new Map(Object.entries(parts).map(([name, pid]) => [pid, name]));
  const sums: Record<string, number> = {};
  for (const [pid, { ticks }] of processes) {
    // The nearest of a process's ancestors that is a part's first process owns its time.
    let at: number | undefined = pid;
    while (at !== undefined && !roots.has(at)) at = processes.get(at)?.parent;
    const name = at === undefined ? undefined : roots.get(at);
    if (name !== undefined) sums[name] = (sums[name] ?? 0) + ticks;
  }
  return sums;
}

function readProcesses(): Map<number, Process> {
  const processes = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // Its own time and that of its children that have ended: user and system each.
      const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
      processes.set(Number(name), { parent: Number(fields[1]), ticks });
    } catch {
      // It has ended in between.
    }
  }
  return processes;
}

function machineTicks(): number {
  const ms = os.cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return (ms / 1000) * TICKS_A_SECOND;
}
