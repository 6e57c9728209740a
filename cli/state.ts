import { rmSync } from 'node:fs';
import { readJson, writeJson } from './embedded/json-file';
import { isRunning, type ProcessIdentity } from './embedded/processes';

export const PROCESS_NAMES = ['postgres', 'temporal', 'bank', 'api', 'worker'] as const;
export type ProcessName = (typeof PROCESS_NAMES)[number];

/** What `up` writes down about what it runs: `status` reads it, and the next `up` clears up after it. */
export interface State {
  up: ProcessIdentity;
  ports: {
    postgres?: number;
    temporal?: number;
    temporalUi?: number;
    bank?: number;
    api: number;
    worker: number;
    metrics: number;
  };
  processes: Partial<Record<ProcessName, ProcessIdentity>>;
}

export function readState(file: string): State | undefined {
  try {
    return readJson<State>(file);
  } catch {
    return undefined;
  }
}

export function writeState(file: string, state: State): void {
  writeJson(file, state);
}

/** The processes a vanished `up` left running, in the order in which they are to be stopped. */
export function leftOver(state: State): { name: ProcessName; identity: ProcessIdentity }[] {
  return [...PROCESS_NAMES].reverse().flatMap((name) => {
    const identity = state.processes[name];
    return identity !== undefined && isRunning(identity) ? [{ name, identity }] : [];
  });
}

export function forgetState(file: string): void {
  rmSync(file, { force: true });
}
