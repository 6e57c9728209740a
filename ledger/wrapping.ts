import { decrypt, encrypt, Undecryptable, type NamedKey } from './aes';

/** Wraps data keys under a key that no database has: the environment's, here, or one that never leaves a KMS. */
export interface KeyWrapper {
  /** The key that wraps from now on. */
  readonly current: string;
  /** Whether what this key wrapped can be unwrapped. */
  has(wrappingKey: string): boolean;
  /** Under the current key. `about` says whose it is, and has to be the same again. */
  wrap(key: Buffer, about: string): Promise<string>;
  unwrap(wrapped: string, wrappingKey: string, about: string): Promise<Buffer>;
}

/** What is sealed can't be opened by the keys that are given. */
export class Locked extends Error {
  constructor(readonly keyId: string) {
    super(`No key "${keyId}" is given that opens this`);
    this.name = 'Locked';
  }
}

/** What no trying again helps with, unlike a database or a KMS that is away. */
export function isUnreadable(error: unknown): error is Locked | Undecryptable {
  return error instanceof Locked || error instanceof Undecryptable;
}

/** The first key wraps, every one unwraps. */
export function environmentKeys(keys: readonly NamedKey[]): KeyWrapper {
  const current = keys[0];
  if (!current) throw new Error('Wrapping takes at least one key');
  const byId = new Map(keys.map(({ id, key }) => [id, key]));
  return {
    current: current.id,
    has: (id) => byId.has(id),
    wrap: async (key, about) => encrypt(current.key, key, about).toString('base64url'),
    async unwrap(wrapped, id, about) {
      const key = byId.get(id);
      if (!key) throw new Locked(id);
      return decrypt(key, Buffer.from(wrapped, 'base64url'), about);
    },
  };
}
