/** The oldest server that all of this was tested with: what is in the CLI that `npm start` brings. */
export const OLDEST_TEMPORAL_SERVER = '1.29.1';

/** One that says nothing of its version may be any. */
export function isTooOld(version: string): boolean {
  const numbers = /^\d+\.\d+\.\d+/.exec(version)?.[0];
  return numbers !== undefined && numbers.localeCompare(OLDEST_TEMPORAL_SERVER, 'en', { numeric: true }) < 0;
}
