/** Columns aligned for reading; numbers to the right. */
export function table(head: string[], rows: string[][], { right = [] }: { right?: number[] } = {}): string {
  const lines = [head, ...rows].map((row) => row.map(plain));
  const widths = head.map((_, column) => Math.max(...lines.map((row) => row[column]!.length)));
  const cell = (text: string, column: number) =>
    right.includes(column) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!);
  return lines.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}

/** What others wrote must not move the reader's cursor. */
export function plain(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g, ' ');
}
