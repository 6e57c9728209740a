import { createHash, randomBytes } from 'node:crypto';
import type { Sealer } from '../ledger/seal';

type Marker = Pick<Sealer, 'mark'>;

const RANDOM_BYTES = 24;
const MARK_LENGTH = 11;

/**
 * 192 bits that nobody can guess: so a plain hash keeps them, and no slow one is needed. Behind them a mark tells who sees
 * it whether we made it for this: what somebody made up needs no database to be refused.
 */
export function newSecret(marker: Marker, owner: string): string {
  const random = randomBytes(RANDOM_BYTES).toString('base64url');
  return random + markOf(marker, owner, random);
}

/** False also for those from before they were marked, which may be good. */
export function isMarked(marker: Marker, owner: string, secret: string): boolean {
  const random = secret.slice(0, -MARK_LENGTH);
  return secret.slice(-MARK_LENGTH) === markOf(marker, owner, random);
}

const markOf = (marker: Marker, owner: string, random: string) =>
  marker.mark(`${owner}.${random}`).slice(0, MARK_LENGTH);

export function secretHash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
