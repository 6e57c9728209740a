import { errorCatalogue, type ErrorCode, type FieldMistake } from '../contracts/errors';
import type { ProblemView, TransactionView } from '../contracts/schemas';
import { isPassing, ShardUnavailable } from '../ledger/postgres';
import { NoOwner } from '../ledger/seal';
import { TooManyPasswords } from '../users/passwords';

export const PROBLEM_JSON = 'application/problem+json; charset=utf-8';

export interface ProblemOptions {
  detail?: string;
  errors?: FieldMistake[];
  /** The transaction it is about, as it now stands. */
  transaction?: TransactionView;
  /** The limit that it would have passed. */
  limit?: ProblemView['limit'];
  headers?: Record<string, string>;
  cause?: unknown;
}

const HEADERS_BY_STATUS: Record<number, Record<string, string>> = {
  401: { 'WWW-Authenticate': 'Bearer realm="holdfast"' },
  503: { 'Retry-After': '1' },
};

/** Everything the API answers besides success is one of these, thrown from wherever it is found out. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(
    readonly code: ErrorCode,
    readonly options: ProblemOptions = {},
  ) {
    super(options.detail ?? errorCatalogue[code].title, { cause: options.cause });
    this.status = errorCatalogue[code].status;
    this.headers = { ...HEADERS_BY_STATUS[this.status], ...options.headers };
  }
}

/** RFC 9457. The bulk route uses it too, for items that have no HTTP answer of their own. */
export function toProblemJson(problem: Problem, at: { requestId: string; path?: string }): ProblemView {
  const { detail, errors, transaction, limit } = problem.options;
  return {
    type: `urn:holdfast:error:${problem.code}`,
    title: errorCatalogue[problem.code].title,
    status: problem.status,
    code: problem.code,
    ...(detail !== undefined && { detail }),
    ...(at.path !== undefined && { instance: at.path }),
    requestId: at.requestId,
    ...(errors !== undefined && { errors }),
    ...(transaction !== undefined && { transaction }),
    ...(limit !== undefined && { limit }),
  };
}

/** What is thrown becomes what is answered; nothing of an unexpected error reaches the client. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  // A path that isn't valid percent-encoding names nothing.
  if (error instanceof URIError) return new Problem('not_found', { cause: error });
  // Whoever asks has been erased since they were let in.
  if (error instanceof NoOwner) return new Problem('unauthenticated', { cause: error });
  if (error instanceof TooManyPasswords) return new Problem('overloaded', { cause: error });
  if (error instanceof ShardUnavailable) return shardUnavailable(error.shard, error);
  if (isPassing(error)) return new Problem('shard_unavailable', { cause: error });
  return new Problem('internal', { cause: error });
}

/** Whoever is refused is told because of which shard. */
export function shardUnavailable(shard: number, cause: unknown): Problem {
  return new Problem('shard_unavailable', { detail: `Shard ${shard} is not reachable.`, cause });
}
