import os from 'node:os';
import type { CoresBusy } from './cpu';
import type { Figure } from './measurements';
import { BAR, ratiosOf, type Medians, type Ratio } from './ratios';
import { median } from './stats';

/** As many cores busy with other work make figures worth less. */
const NOISE = 0.3;

/** Every round's figures of one measurement. */
export interface Series {
  name: string;
  what: string;
  figures: (Figure & { cores?: CoresBusy })[];
}

export function printReport(series: readonly Series[], say: (line: string) => void): void {
  const ratios = ratiosOf(mediansOf(series));
  const cores = coresTable(series);
  say(`\n${tableOf(series)}`);
  for (const line of errorLines(series)) say(`errors in ${line}`);
  if (ratios.length > 0) say(`\n${ratioTable(ratios)}`);
  if (cores !== undefined) say(`\n${cores}`);
  const others = median(series.flatMap(({ figures }) => figures.map(({ cores }) => cores?.['others'] ?? 0)));
  if (others > NOISE) {
    say(
      `\nOther programs kept ${others.toFixed(1)} of ${os.cpus().length} cores busy meanwhile: these figures are too low.`,
    );
  }
}

function mediansOf(series: readonly Series[]): Medians {
  return new Map(
    series.map(({ name, figures }) => [name, { rate: middle(figures, 'rate'), p50: middle(figures, 'p50') }]),
  );
}

function middle(figures: Series['figures'], key: 'rate' | 'p50' | 'p99'): number | undefined {
  const values = figures.map((figure) => figure[key]).filter((value) => value !== undefined && !Number.isNaN(value));
  return values.length === 0 ? undefined : median(values as number[]);
}

function tableOf(series: readonly Series[]): string {
  const rows = series.map(({ what, figures }) => {
    const rates = figures.map(({ rate }) => rate).filter((rate) => rate !== undefined && !Number.isNaN(rate));
    const spread =
      rates.length > 1 ? `${count(Math.min(...(rates as number[])))}-${count(Math.max(...(rates as number[])))}` : '';
    const errors = figures.reduce((sum, figure) => sum + (figure.errors ?? 0), 0);
    return [
      what,
      count(middle(figures, 'rate')),
      spread,
      ms(middle(figures, 'p50')),
      ms(middle(figures, 'p99')),
      errors || '',
    ];
  });
  return grid(['', 'a second', 'lowest-highest', 'p50 ms', 'p99 ms', 'errors'], rows);
}

function ratioTable(ratios: readonly Ratio[]): string {
  const rows = ratios.map(({ what, value, goal, reached, atMost }) => {
    const verdict = reached >= 1 ? 'goal' : reached >= BAR ? 'bar' : 'BELOW';
    return [what, short(value), `${atMost ? '<=' : '>='} ${short(goal)}`, short(reached), verdict];
  });
  return grid(['ratio', 'measured', 'goal', 'reached', ''], rows);
}

/**
 * Which part kept how many cores busy; and for what is counted, how much processor time of each part one of it cost,
 * which says more than rates do on a machine that has other work.
 */
function coresTable(series: readonly Series[]): string | undefined {
  const watched = series.filter(({ figures }) => figures.some(({ cores }) => cores !== undefined));
  if (watched.length === 0) return undefined;
  const names = [...new Set(watched.flatMap(({ figures }) => Object.keys(figures[0]?.cores ?? {})))];
  const of = ({ figures }: Series, name: string) => median(figures.map(({ cores }) => cores?.[name] ?? 0));
  const used = names.filter((name) => watched.some((each) => of(each, name) >= 0.05));
  const busy = watched.map((each) => [
    each.name,
    ...used.map((name) => (of(each, name) < 0.005 ? '' : of(each, name).toFixed(2))),
  ]);
  const ours = used.filter((name) => name !== 'others');
  const costs = watched
    .filter(({ figures }) => middle(figures, 'rate') !== undefined)
    .map((each) => [each.name, ...ours.map((name) => microseconds(of(each, name) / middle(each.figures, 'rate')!))]);
  return [grid(['cores busy', ...used], busy), grid(['processor time each, in us', ...ours], costs)].join('\n\n');
}

function microseconds(seconds: number): string {
  const us = seconds * 1e6;
  return us < 0.5 ? '' : us.toFixed(us < 10 ? 1 : 0);
}

/** What came instead of successes, where anything did. */
function errorLines(series: readonly Series[]): string[] {
  return series.flatMap(({ name, figures }) => {
    const sums: Record<string, number> = {};
    for (const { statuses = {} } of figures) {
      for (const [what, times] of Object.entries(statuses)) sums[what] = (sums[what] ?? 0) + times;
    }
    const parts = Object.entries(sums).map(([what, times]) => `${times} x ${what}`);
    return parts.length === 0 ? [] : [`${name}: ${parts.join(', ')}`];
  });
}

export function grid(header: string[], rows: (string | number)[][]): string {
  const all = [header, ...rows.map((row) => row.map(String))];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}

function count(value: number | undefined): string {
  if (value === undefined) return '';
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}

const ms = (value: number | undefined) => (value === undefined ? '' : value.toFixed(value < 10 ? 2 : 1));
const short = (value: number) => (value >= 10 ? value.toFixed(1) : value.toFixed(2));
