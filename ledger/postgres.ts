import pg from 'pg';

const INT8 = 20;

/** How every connection to the books reads values: Postgres's bigint is JavaScript's, never a float. */
export const valueTypes: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary'): Parser =>
    oid === INT8 && format !== 'binary' ? BigInt : (pg.types.getTypeParser(oid, format) as Parser),
};
type Parser = (value: string) => unknown;

const READ_ONLY = '25006';
const DISK_FULL = '53100';

/** The database takes no writes of its shard: it is being moved, or is a copy that isn't in use yet. */
export class Fenced extends Error {
  readonly code = READ_ONLY;

  constructor(state: string) {
    super(`The shard is ${state} here, and takes no writes`);
    this.name = 'Fenced';
  }
}

/** The shard's database could not be reached for as long as it is waited for; the outcome of what was sent is not known. */
export class ShardUnavailable extends Error {
  constructor(
    readonly shard: number,
    options?: ErrorOptions,
  ) {
    super(`Shard ${shard} is not reachable`, options);
    this.name = 'ShardUnavailable';
  }
}

/** Postgres codes that say the server is away, stopping, or cut us off: the database is not reachable just now. */
const UNREACHABLE = new Set([
  READ_ONLY, // a primary that has become a standby, or a shard that is being moved
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
  '42501', // insufficient_privilege: taken away from the application's role when the shard has moved to another database
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Codes after which the same batch may simply be tried again. */
const PASSING = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available: another poster holds the chain for longer than we wait
  '57014', // query_canceled, by statement_timeout
]);

function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined;
}

/** Whole classes of codes that say the same of any statement: the server, its disk or its set-up is not fit just now. */
const UNFIT = new Set([
  '08', // connection exception
  '28', // invalid authorization
  '3D', // invalid catalog name: no such database
  '53', // insufficient resources, a full disk among them
  '57', // operator intervention
  '58', // system error
]);

/** It can still be read. */
export function takesNoWrites(error: unknown): boolean {
  return [READ_ONLY, DISK_FULL].includes(codeOf(error) ?? '');
}

export function isUnreachable(error: unknown): boolean {
  if (error instanceof ShardUnavailable) return true;
  const code = codeOf(error);
  if (code !== undefined && !PASSING.has(code)) return UNREACHABLE.has(code) || UNFIT.has(code.slice(0, 2));
  if (code !== undefined) return false;
  // The driver's own errors carry no code.
  return (
    error instanceof Error &&
    /connection (terminated|error|timeout|ended)|not queryable|read timeout|timeout (expired|exceeded)/i.test(
      error.message,
    )
  );
}

/** The outcome of a batch that failed this way is unknown or nothing: ask again, since every command is idempotent. */
export function isPassing(error: unknown): boolean {
  return isUnreachable(error) || PASSING.has(codeOf(error) ?? '');
}
