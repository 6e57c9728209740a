import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Personal data at rest: sealed on the way in, opened only to be shown. A sealed text names the key that opens it. */
export interface Sealer {
  seal(text: string): string;
  open(sealed: string): string;
}

const VERSION = 's1';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM. The first key seals; every key given opens what it sealed. */
export function createSealer(keys: { id: string; key: Buffer }[]): Sealer {
  const current = keys[0];
  if (!current) throw new Error('A sealer needs at least one key');
  const byId = new Map(keys.map((each) => [each.id, each.key]));

  return {
    seal(text) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current.key, iv, { authTagLength: TAG_BYTES });
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `${VERSION}.${current.id}.${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url')}`;
    },
    open(sealed) {
      const [version, id = '', payload = ''] = sealed.split('.');
      const key = byId.get(id);
      if (version !== VERSION || !key) throw new Error(`No key "${id}" opens this sealed text`);
      const bytes = Buffer.from(payload, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}
