import type { Finding } from '../ledger/verify';

export type { Finding } from '../ledger/verify';

/** What a check has come to since the batch before, and the place from which it can go on. */
export interface Batch<Place> {
  place: Place;
  checked: number;
  findings: Finding[];
}
