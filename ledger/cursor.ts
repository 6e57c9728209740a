/** A place in a shard's books: blocks grow, and so do the indexes in a block. */
export interface Position {
  block: bigint;
  index: number;
}

const VERSION = '1';
const MAX_BLOCK = 2n ** 63n - 1n;
const MAX_INDEX = 2 ** 31 - 1;

/** After everything there is or will be. */
export const AFTER_ALL: Position = { block: MAX_BLOCK, index: MAX_INDEX };

/** A position as clients carry it from page to page; they are not to look inside. */
export function writeCursor({ block, index }: Position): string {
  return Buffer.from(`${VERSION}.${block}.${index}`).toString('base64url');
}

/** The position of a cursor of ours, or undefined for any other text. */
export function readCursor(cursor: string): Position | undefined {
  const match = /^1\.(\d{1,19})\.(\d{1,10})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (!match) return undefined;
  const position = { block: BigInt(match[1]!), index: Number(match[2]) };
  // Node reads base64 leniently; only what we would have written is ours. Nor may Postgres meet numbers it can't hold.
  const ours = position.block <= MAX_BLOCK && position.index <= MAX_INDEX && writeCursor(position) === cursor;
  return ours ? position : undefined;
}

export function later<P extends Position>(one: P, other: P): P {
  return earlier(one, other) === one ? other : one;
}

export function earlier<P extends Position>(one: P, other: P): P {
  if (one.block !== other.block) return one.block < other.block ? one : other;
  return one.index < other.index ? one : other;
}
