import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { faultRows, typesOf, type FaultRow } from './fault-rows';
import { MOMENTS, VICTIMS } from './kill-rows';

const PAGE = path.join(__dirname, '../../docs/faults.md');

type Table = [header: string[], ...rows: string[][]];

/** The tables of docs/faults.md, by the name of their place in it. */
export const faultTables: Record<string, string> = {
  bank: markdown([
    ['step', 'what goes wrong', 'faults', 'of', 'how it ends'],
    ...faultRows.map((row) => [row.step, row.what, faultsOf(row), typesOf(row).join(', '), endOf(row)]),
  ]),
  kills: markdown([
    ['where the payment is', ...VICTIMS.map((victim) => `${victim} killed`)],
    ...MOMENTS.map(({ what, ends }) => [what, ...VICTIMS.map(() => ends)]),
  ]),
};

export const readPage = (): string => readFileSync(PAGE, 'utf8');

/** The page as it has to be: its text as it is, its tables made anew. */
export function rewritten(page: string): string {
  return Object.entries(faultTables).reduce((text, [name, table]) => {
    const place = new RegExp(`(<!-- rows: ${name} -->)[^]*?(<!-- end of rows -->)`);
    if (!place.test(text)) throw new Error(`docs/faults.md has no place for the rows of ${name}`);
    return text.replace(place, (_, begin: string, end: string) => `${begin}\n\n${table}\n\n${end}`);
  }, page);
}

export const rewritePage = (): void => writeFileSync(PAGE, rewritten(readPage()));

function faultsOf({ faults }: FaultRow): string {
  return faults.map(({ name }) => `\`${name}\``).join(', ');
}

function endOf({ waits, ends, reason, reversed, besides }: FaultRow): string {
  const end = ends + (reason ? ` (\`${reason}\`)` : '') + (reversed ? ', then given back by a reversal' : '');
  const waiting = waits ? `waits (\`${waits.reason}\`); ops: ${waits.then}; ` : '';
  return waiting + end + (besides ? `; besides: ${besides}` : '');
}

/** Padded as prettier does it. */
function markdown(table: Table): string {
  const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column]!.length)));
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const [header, ...rows] = table;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
