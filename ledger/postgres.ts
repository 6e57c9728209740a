import pg from 'pg';

const INT8 = 20;

/** How every connection to the books reads values: Postgres's bigint is JavaScript's, never a float. */
export const valueTypes: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary'): Parser =>
    oid === INT8 && format !== 'binary' ? BigInt : (pg.types.getTypeParser(oid, format) as Parser),
};
type Parser = (value: string) => unknown;

/** Postgres codes that say the server is away, stopping, or cut us off: the database is not reachable just now. */
const UNREACHABLE = new Set([
  '08000', // connection_exception
  '08001', // sqlclient_unable_to_establish_sqlconnection
  '08004', // sqlserver_rejected_establishment_of_sqlconnection
  '08003', // connection_does_not_exist
  '08006', // connection_failure
  '53300', // too_many_connections
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25006', // read_only_sql_transaction: a primary that has become a standby
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
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

export function isUnreachable(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) return UNREACHABLE.has(code);
  // The driver's own errors carry no code.
  return (
    error instanceof Error &&
    /connection (terminated|error|timeout|ended)|not queryable|timeout (expired|exceeded)/i.test(error.message)
  );
}

/** The outcome of a batch that failed this way is unknown or nothing: ask again, since every command is idempotent. */
export function isPassing(error: unknown): boolean {
  return isUnreachable(error) || PASSING.has(codeOf(error) ?? '');
}
