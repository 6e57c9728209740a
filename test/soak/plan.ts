import { createHash } from 'node:crypto';
import type { NewFault } from '../../bank/simulator/faults';

export const KINDS = ['deposit', 'withdrawal', 'large withdrawal', 'transfer', 'refund', 'credit'] as const;
export type Kind = (typeof KINDS)[number];

/** Something a customer does at a time. People are numbers in the order in which they were made. */
export interface Operation {
  atMs: number;
  /** Its idempotency key. */
  key: string;
  kind: Kind;
  person: number;
  other: number;
  amountMinor: bigint;
  /** Of a deposit or withdrawal: its customer thinks better of it. */
  cancelAfterMs?: number;
  /** Of a refund: the key of the transfer that it gives back. */
  of?: string;
}

/** What is wrong at the bank from a time on. */
export interface Weather {
  atMs: number;
  faults: NewFault[];
}

export type SoakVictim = 'API 1' | 'API 2' | 'worker 1' | 'worker 2' | 'bank' | 'Postgres' | 'Temporal';

export interface Kill {
  atMs: number;
  victim: SoakVictim;
  downMs: number;
}

export interface SoakPlan {
  operations: Operation[];
  weathers: Weather[];
  kills: Kill[];
}

export const PEOPLE = 40;
export const LARGE_MINOR = 20_00n;

const WEIGHTS: [Kind, number][] = [
  ['deposit', 30],
  ['withdrawal', 25],
  ['large withdrawal', 5],
  ['transfer', 25],
  ['refund', 8],
  ['credit', 7],
];
const VICTIMS: SoakVictim[] = ['API 1', 'API 2', 'worker 1', 'worker 2', 'bank', 'Postgres', 'Temporal'];
const OPERATION_EVERY_MS = 250;

/** Everything that a soak does, from its seed alone: the same seed is the same run, as far as clocks allow. */
export function planOf(seed: string, durationMs: number): SoakPlan {
  return {
    operations: operationsOf(new Dice(`${seed} operations`), durationMs),
    weathers: weathersOf(new Dice(`${seed} weathers`), durationMs),
    kills: killsOf(new Dice(`${seed} kills`), durationMs),
  };
}

function operationsOf(dice: Dice, durationMs: number): Operation[] {
  const operations: Operation[] = [];
  for (let atMs = 0; atMs < durationMs; atMs += dice.between(0, 2 * OPERATION_EVERY_MS)) {
    operations.push(operationOf(dice, atMs, operations));
  }
  return operations;
}

function operationOf(dice: Dice, atMs: number, earlier: Operation[]): Operation {
  const person = dice.between(0, PEOPLE - 1);
  const other = (person + dice.between(1, PEOPLE - 1)) % PEOPLE;
  const kind = dice.weighted(WEIGHTS);
  const key = `soak-${earlier.length}`;
  const common = { atMs, key, kind, person, other, amountMinor: BigInt(dice.between(1, 900)) };
  if (kind === 'large withdrawal') return { ...common, amountMinor: LARGE_MINOR + common.amountMinor };
  if (kind === 'refund') {
    const transfers = earlier.filter((each) => each.kind === 'transfer').slice(-50);
    if (transfers.length === 0) return { ...common, kind: 'transfer' };
    const given = dice.pick(transfers);
    return { ...common, person: given.other, other: given.person, of: given.key };
  }
  const changesMind = (kind === 'deposit' || kind === 'withdrawal') && dice.chance(0.2);
  return changesMind ? { ...common, cancelAfterMs: dice.between(0, 3_000) } : common;
}

/**
 * What only a webhook tells, a return or a second settlement, never loses its webhook here: those are payouts, and the
 * webhooks that are lost are of collections. Finding what nobody told needs the bank's statement.
 */
const WEATHER: ((dice: Dice) => NewFault[])[] = [
  () => [],
  () => [{ name: 'outage' }],
  (dice) => [{ name: 'outage', mode: 'destroy', probability: dice.share() }],
  (dice) => [{ name: 'slow', probability: dice.share(), delayMs: dice.between(500, 7_000) }],
  (dice) => [{ name: 'answer_lost', probability: dice.share() }],
  (dice) => [{ name: 'rejected', probability: dice.share(), reason: dice.pick(['liquidity', 'account_closed']) }],
  (dice) => [{ name: 'never_settles', probability: dice.share() / 2 }],
  (dice) => [{ name: 'amount_mismatch', probability: dice.share() / 2 }],
  (dice) => [{ name: 'double_settlement', probability: dice.share() / 2, kind: 'payout' }],
  (dice) => [{ name: 'returned', probability: dice.share(), delayMs: dice.between(0, 3_000) }],
  (dice) => [{ name: 'late_request', probability: dice.share() }],
  (dice) => [{ name: 'lookup_lags', probability: dice.share(), looks: dice.between(1, 4) }],
  (dice) => [{ name: 'webhook_lost', probability: dice.share(), kind: 'collection' }],
  (dice) => [{ name: 'webhook_duplicated', probability: dice.share() }],
  (dice) => [{ name: 'webhook_out_of_order', probability: dice.share(), delayMs: dice.between(500, 3_000) }],
  (dice) => [{ name: 'webhook_wrongly_signed', probability: dice.share() }],
];

function weathersOf(dice: Dice, durationMs: number): Weather[] {
  const weathers: Weather[] = [];
  for (let atMs = 0; atMs < durationMs; atMs += dice.between(2_000, 6_000)) {
    const kinds = Array.from({ length: dice.between(1, 4) }, () => dice.pick(WEATHER));
    weathers.push({ atMs, faults: kinds.flatMap((kind) => kind(dice)) });
  }
  return weathers;
}

function killsOf(dice: Dice, durationMs: number): Kill[] {
  const kills: Kill[] = [];
  for (let atMs = dice.between(3_000, 8_000); atMs < durationMs; atMs += dice.between(6_000, 14_000)) {
    kills.push({ atMs, victim: dice.pick(VICTIMS), downMs: dice.between(0, 4_000) });
  }
  return kills;
}

/** Numbers that depend on the seed alone. */
class Dice {
  private thrown = 0;

  constructor(private readonly seed: string) {}

  /** Both ends may come. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** How many are hit: some, rarely all. */
  share(): number {
    return this.between(1, 10) / 10;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.between(0, from.length - 1)]!;
  }

  weighted<T>(options: readonly (readonly [T, number])[]): T {
    let left = this.between(
      1,
      options.reduce((sum, [, weight]) => sum + weight, 0),
    );
    return options.find(([, weight]) => (left -= weight) <= 0)![0];
  }

  private fraction(): number {
    const digest = createHash('sha256')
      .update(`${this.seed} ${(this.thrown += 1)}`)
      .digest();
    return digest.readUIntBE(0, 6) / 2 ** 48;
  }
}
