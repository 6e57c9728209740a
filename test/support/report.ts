import type { Load } from './load';

/** What the clients met, on a line, for whoever reads the run: that a fault was met at all shows here. */
export function report(load: Load): void {
  const told = [...load.told.values()];
  const count = (status: string) => told.filter((each) => each.status === status).length;
  const met = Object.entries(load.answers).map(([what, times]) => `${times} x ${what}`);
  process.stderr.write(
    `  ${count('completed')} completed, ${count('rejected')} rejected; answers: ${met.join(', ')}\n`,
  );
}
