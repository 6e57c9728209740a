import { setTimeout as sleep } from 'node:timers/promises';
import type { NewFault } from '../../bank/simulator/faults';
import type { Stack } from '../support/stack';
import type { StackProcess } from '../support/stack-process';
import type { Kill, SoakVictim, Weather } from './plan';

const at = (startedAt: number, ms: number) => sleep(Math.max(0, startedAt + ms - Date.now()));

/** The bank's faults, each lot until the next. */
export async function playWeathers(stack: Stack, weathers: Weather[], startedAt: number): Promise<void> {
  for (const { atMs, faults } of weathers) {
    await at(startedAt, atMs);
    await setFaults(stack, faults, String(atMs));
  }
}

/** The bank may be down just now. */
export async function setFaults(stack: Stack, faults: NewFault[], seed: string): Promise<void> {
  const isSet = () =>
    stack.bankControl.setFaults(faults, seed).then(
      () => true,
      () => false,
    );
  while (!(await isSet())) await sleep(200);
}

/** One process after another, each started again before the next is killed. */
export async function playKills(stack: Stack, kills: Kill[], startedAt: number): Promise<void> {
  for (const { atMs, victim, downMs } of kills) {
    await at(startedAt, atMs);
    await kill(stack, victim);
    await sleep(downMs);
    await startAgain(stack, victim);
  }
}

async function kill(stack: Stack, victim: SoakVictim): Promise<void> {
  if (victim === 'Postgres') return stack.killPostgres();
  if (victim === 'Temporal') return stack.killTemporal();
  await processOf(stack, victim).kill();
}

function startAgain(stack: Stack, victim: SoakVictim): Promise<void> {
  if (victim === 'Postgres') return stack.startPostgres();
  if (victim === 'Temporal') return stack.startTemporal();
  return processOf(stack, victim).start();
}

function processOf(stack: Stack, victim: Exclude<SoakVictim, 'Postgres' | 'Temporal'>): StackProcess {
  const { apis, workers, bank } = stack;
  const processes = { 'API 1': apis[0], 'API 2': apis[1], 'worker 1': workers[0], 'worker 2': workers[1], bank };
  return processes[victim]!;
}
