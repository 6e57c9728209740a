import { createHash, randomBytes } from 'node:crypto';

/** 256 bits that nobody can guess: so a plain hash keeps them, and no slow one is needed. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

export function secretHash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
