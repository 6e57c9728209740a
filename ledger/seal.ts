import { createHmac, hkdfSync } from 'node:crypto';
import { shardOfId } from '../contracts/ids';
import { decrypt, encrypt, type NamedKey } from './aes';
import { DataKeys, nameOfKey, type FoundKey, type KeyName, type WrappedKey } from './data-keys';
import { EarlierKeys } from './earlier-keys';
import { ShardUnavailable } from './postgres';
import type { Shards } from './shards';
import { environmentKeys, Locked } from './wrapping';

/** A sealed text, and the field in which it stands: in another it does not open. */
export interface Sealed {
  text: string | null;
  field: string;
}

/** What a text says, by the sealed one; null for none, for one that can't be opened, or while its owner's shard is away. */
export type Opened = (sealed: string | null) => string | null;

/** Personal data at rest: sealed on the way in, opened only to be shown. A sealed text names the key that opens it. */
export interface Sealer {
  /** Under the owner's data key. Throws NoOwner for a user who is not there, or no longer. */
  seal(owner: string, field: string, text: string): Promise<string>;
  /** Throws where it can't be opened. */
  open(sealed: string, field: string): Promise<string>;
  openAll(sealed: readonly Sealed[]): Promise<Opened>;
  /** The first key of a user who is about to be stored with it. */
  begin(owner: string): Promise<FirstKey>;
  /** Finds a text again without saying what it is; it never changes. */
  index(kind: 'email' | 'username', text: string): string;
  /** Tells what we made from what somebody made up; it never changes. */
  mark(text: string): string;
  readonly keys: DataKeys;
  /** False while everything is sealed as before there were data keys. */
  readonly usesDataKeys: boolean;
  /** With what was sealed before there were data keys. */
  readonly earlier: readonly NamedKey[];
}

export interface FirstKey extends WrappedKey {
  seal(field: string, text: string): string;
}

/** What would be sealed is a user's who was erased, or never was: it must not be kept under anybody else's key. */
export class NoOwner extends Error {
  constructor(owner: string) {
    super(`There is no ${owner} to seal for`);
    this.name = 'NoOwner';
  }
}

/** What stands where the key of a text is destroyed. */
export const ERASED = 'erased';

/** Where personal data stands. */
export const fieldOf = {
  name: (user: string) => `${user}/name`,
  email: (user: string) => `${user}/email`,
  bankAccount: (id: string) => `${id}/details`,
  message: (transaction: string) => `${transaction}/message`,
  recipient: (transaction: string) => `${transaction}/to`,
  note: (subject: string) => `${subject}/note`,
  address: (request: string | undefined) => `${request ?? ''}/address`,
  agent: (session: string) => `${session}/agent`,
  payer: (event: string) => `${event}/payer`,
};

export interface SealerOptions {
  shards: Shards;
  /** Wrap the data keys. With one of them everything was sealed before there were data keys. */
  sealKeys: readonly NamedKey[];
  /** False while processes run that know of no data keys: everything is then sealed as they read it. */
  dataKeys?: boolean;
  /** The keys of indexes and marks are derived from it: it never rotates. */
  commandKey: string;
}

const VERSION = 's2';
const EARLIER_VERSION = 's1';

export function createSealer({ shards, sealKeys, dataKeys = true, commandKey }: SealerOptions): Sealer {
  const keys = new DataKeys(shards, environmentKeys(sealKeys));
  const earlierKeys = new EarlierKeys(shards, keys, sealKeys);
  const derived = (what: string) => Buffer.from(hkdfSync('sha256', commandKey, '', what, 32));
  const [indexKey, markKey] = [derived('holdfast index'), derived('holdfast mark')];

  function sealEarlier(text: string): string {
    const { id, key } = sealKeys[0]!;
    return `${EARLIER_VERSION}.${id}.${encrypt(key, Buffer.from(text)).toString('base64url')}`;
  }

  const findKeys = (texts: readonly string[]) => keys.find(texts.flatMap((text) => keyOf(text) ?? []));

  async function openAll(texts: readonly Sealed[]): Promise<Opened> {
    const all = texts.filter((each): each is Sealed & { text: string } => each.text !== null);
    const found = await findKeys(all.map(({ text }) => text));
    // One that can't be opened keeps nobody from the others.
    const opening = all.map(
      async ({ text, field }) => [text, await openOne(text, field, found).catch(() => null)] as const,
    );
    const opened = new Map(await Promise.all(opening));
    return (text) => (text === null ? null : (opened.get(text) ?? null));
  }

  async function openOne(text: string, field: string, found: Map<string, FoundKey>): Promise<string> {
    if (text === '') return ERASED;
    const name = keyOf(text);
    if (!name) return openEarlier(text);
    const key = found.get(nameOfKey(name))!;
    if (key === 'away') throw new ShardUnavailable(shardOfId(name.owner)!);
    if (key === 'gone') return ERASED;
    if (key instanceof Error) throw key;
    return decrypt(key, payloadOf(text), field).toString();
  }

  async function openEarlier(text: string): Promise<string> {
    const [version, id = ''] = text.split('.');
    if (version !== EARLIER_VERSION) throw new Locked(id);
    return decrypt(await earlierKeys.find(id), payloadOf(text)).toString();
  }

  return {
    keys,
    usesDataKeys: dataKeys,
    earlier: sealKeys,
    openAll,
    async seal(owner, field, text) {
      if (!dataKeys) return sealEarlier(text);
      const key = await keys.newestOf(owner);
      if (!key) throw new NoOwner(owner);
      return sealed(key, field, text);
    },
    async open(text, field) {
      return openOne(text, field, await findKeys([text]));
    },
    async begin(owner) {
      const { key, ...stored } = await keys.make(owner);
      return {
        ...stored,
        seal: (field, text) => (dataKeys ? sealed({ ...stored, key }, field, text) : sealEarlier(text)),
      };
    },
    index: (kind, text) => createHmac('sha256', indexKey).update(`${kind}\0${text.toLowerCase()}`).digest('base64url'),
    mark: (text) => createHmac('sha256', markKey).update(text).digest('base64url'),
  };
}

export function sealed({ key, owner, number }: KeyName & { key: Buffer }, field: string, text: string): string {
  return `${VERSION}.${owner}.${number}.${encrypt(key, Buffer.from(text), field).toString('base64url')}`;
}

/** Undefined for a text from before there were data keys, and for what is none. */
export function keyOf(text: string): KeyName | undefined {
  const [version, owner = '', number = ''] = text.split('.');
  return version === VERSION && /^\d{1,18}$/.test(number) ? { owner, number: BigInt(number) } : undefined;
}

function payloadOf(text: string): Buffer {
  return Buffer.from(text.slice(text.lastIndexOf('.') + 1), 'base64url');
}
