import { hash, verify, type Algorithm } from '@node-rs/argon2';

/** OWASP's recommendation for argon2id: 19 MiB, two passes. Some 30 ms of one core, which is the point. */
const PARAMETERS = {
  algorithm: 2 satisfies Algorithm.Argon2id as Algorithm,
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
};

/** Hashing runs on libuv's few threads, which everything else shares: so many at once, so many waiting, and no more. */
const AT_ONCE = 2;
const WAITING = 100;

export class TooManyPasswords extends Error {
  constructor() {
    super('Too many passwords are being checked');
  }
}

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) {
    if (waiting.length >= WAITING) throw new TooManyPasswords();
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else {
    running++;
  }
  try {
    return await work();
  } finally {
    // A turn is handed on, not given back, while somebody waits for it.
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

export function hashPassword(password: string): Promise<string> {
  return inTurn(() => hash(password, PARAMETERS));
}

let nobodysHash: Promise<string> | undefined;

/**
 * Whether the password is the one hashed. For a user who doesn't exist it checks against a hash that nothing matches,
 * so that the time it takes doesn't tell who has an account.
 */
export async function checkPassword(password: string, passwordHash: string | undefined): Promise<boolean> {
  nobodysHash ??= hashPassword(crypto.randomUUID());
  const against = passwordHash ?? (await nobodysHash);
  const matches = await inTurn(() => verify(against, password));
  return matches && passwordHash !== undefined;
}
