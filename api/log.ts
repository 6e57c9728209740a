import pino, { type Logger } from 'pino';
import { logFields } from '../tracing';

/** A request's own line names everything, and there are many of them. */
const NOTHING = {};

/**
 * JSON lines on stdout, written in the background: a log line must not hold up a transfer. What is still unwritten when
 * the process dies by SIGKILL is lost; the books are where the truth is.
 */
export function createLog(options: { level: string; name: string }, to = stdout()): Logger {
  return pino(
    {
      level: options.level,
      base: { process: options.name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      mixin: (line) => ('requestId' in line ? NOTHING : logFields()),
      // What a line says itself counts.
      mixinMergeStrategy: (line, ambient) => (ambient === NOTHING ? line : { ...ambient, ...line }),
    },
    to,
  );
}

function stdout(): pino.DestinationStream {
  return pino.destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 500 });
}

/**
 * What a log line says of an error. Never all of its fields: Postgres puts whole rows into `detail`, with hashes and
 * sealed names in them.
 */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { code, constraint, table } = error as { code?: unknown; constraint?: unknown; table?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === 'string' && { code }),
    ...(typeof constraint === 'string' && { constraint }),
    ...(typeof table === 'string' && { table }),
    stack: error.stack,
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
