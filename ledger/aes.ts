import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export interface NamedKey {
  id: string;
  key: Buffer;
}

/** It was encrypted with another key, or about something else, or was changed since. */
export class Undecryptable extends Error {
  constructor(cause: unknown) {
    super('This can not be decrypted with this key', { cause });
    this.name = 'Undecryptable';
  }
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
const authTagLength = TAG_BYTES;

/** AES-256-GCM. What was encrypted about one thing can't be passed off as another's: `about` has to be the same again. */
export function encrypt(key: Buffer, clear: Uint8Array, about = ''): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength });
  cipher.setAAD(Buffer.from(about));
  const body = Buffer.concat([cipher.update(clear), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]);
}

export function decrypt(key: Buffer, encrypted: Uint8Array, about = ''): Buffer {
  const bytes = Buffer.from(encrypted);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength });
    decipher.setAAD(Buffer.from(about));
    decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
  } catch (error) {
    throw new Undecryptable(error);
  }
}
