/** The middle of each measurement's rounds, by its name. */
export type Medians = ReadonlyMap<string, { rate?: number; p50?: number }>;

export interface Ratio {
  what: string;
  value: number;
  goal: number;
  /** How much of the goal was reached: 1 is all of it, whichever direction is the good one. */
  reached: number;
  atMost: boolean;
}

/** 0.7 of a goal is what has to be shown, all of it is what we want. */
export const BAR = 0.7;

/** The prototype's figures, on the machine this was designed on: what the poster's goals are made of. */
const PROTOTYPE = { pgbench64: 3800, poster: { 1: 370, 100: 9200, 1000: 16_000 } };

/** Every ratio whose two sides were measured. */
export function ratiosOf(medians: Medians): Ratio[] {
  const rate = (name: string) => medians.get(name)?.rate;
  const p50 = (name: string) => medians.get(name)?.p50;
  const poster = Object.entries(PROTOTYPE.poster).map(([batch, prototype]) => {
    const what = `poster alone, batches of ${Number(batch).toLocaleString('en')} / pgbench at 64`;
    return ratio(what, rate(`poster/${batch}`), rate('pgbench/64'), prototype / PROTOTYPE.pgbench64);
  });
  return [
    ratio('p50 of a transfer alone / StartWorkflow alone', p50('lane/alone'), p50('start'), 1.8, true),
    ratio('p50 of transfers by one client / of StartWorkflow by one', p50('lane/1'), p50('start/loop'), 1.8, true),
    ratio('p50 of a deposit alone / StartWorkflow alone', p50('deposit/alone'), p50('start'), 2, true),
    ratio('p50 of a withdrawal alone / StartWorkflow alone', p50('withdrawal/alone'), p50('start'), 2, true),
    ratio('deposits to completion / empty workflows', rate('deposit'), rate('empty'), 0.4),
    ratio('withdrawals to completion / empty workflows', rate('withdrawal'), rate('empty'), 0.4),
    ratio('transfers at 64 clients / empty workflows', rate('lane/64'), rate('empty'), 18),
    ratio('transfers at 256 clients / empty workflows', rate('lane/256'), rate('empty'), 35),
    ratio('transfers at 256 clients / Express answering nothing', rate('lane/256'), rate('express'), 0.5),
    ratio('bulk transfers / pgbench at 64', rate('bulk'), rate('pgbench/64'), 1.3),
    ratio(
      'transfers between two shards / within them, 64 clients',
      rate('shards/other/64'),
      rate('shards/same/64'),
      0.5,
    ),
    ratio(
      'transfers between two shards / within them, 256 clients',
      rate('shards/other/256'),
      rate('shards/same/256'),
      0.5,
    ),
    ...poster,
  ].filter((each) => each !== undefined);
}

function ratio(
  what: string,
  above: number | undefined,
  below: number | undefined,
  goal: number,
  atMost = false,
): Ratio | undefined {
  if (above === undefined || below === undefined) return undefined;
  const value = above / below;
  return { what, value, goal, reached: atMost ? goal / value : value / goal, atMost };
}
