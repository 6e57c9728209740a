import type { BenchOptions } from './options';
import type { Stack } from './stack';

export async function compareBooks(
  _stack: Stack,
  _options: BenchOptions,
  _say: (line: string) => void,
): Promise<unknown> {
  throw new Error('not yet');
}
