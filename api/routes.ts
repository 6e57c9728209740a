import type { Request, RequestHandler, Response } from 'express';
import { z, type ZodType } from 'zod';
import type { ErrorCode } from '../contracts/errors';
import type { Permission } from '../contracts/permissions';
import type { RatePolicyName } from '../contracts/rate-limits';
import { houseOf } from '../ledger/data-keys';
import type { Sealer } from '../ledger/seal';
import { traceOf } from './acting';
import { authenticate, requireCaller, requirePermission } from './auth';
import { readJson } from './body';
import type { Callers } from './callers';
import { Problem } from './problems';
import { addressOf, whoIs, type RateLimits } from './rate-limits';
import { parseBody, parseQuery } from './validate';

/** What a handler is given: the request as its route describes it, already parsed. */
export interface Call<Body, Query> {
  req: Request;
  res: Response;
  body: Body;
  query: Query;
}

export interface Answer {
  description: string;
  /** Absent: an answer without a body. */
  schema?: ZodType;
  /** Headers of this answer besides X-Request-Id, by name, each with what it says. */
  headers?: Record<string, string>;
}

export interface Parameter {
  description: string;
  schema: ZodType;
  required?: boolean;
}

/** One row says everything of a route: Express serves from it, and openapi.json is written from it. */
export interface Route<Body extends ZodType = ZodType, Query extends ZodType = ZodType> {
  /** OpenAPI's operationId. */
  id: string;
  method: 'get' | 'post' | 'put' | 'delete';
  /** With parameters as Express writes them: `/v1/wallets/:walletId`. */
  path: `/${string}`;
  tag: string;
  summary: string;
  description?: string;
  /** Everyone, or callers with this permission. */
  auth: 'public' | Permission;
  pathParameters?: Record<string, Parameter>;
  headers?: Record<string, Parameter>;
  body?: Body;
  bodyLimitBytes?: number;
  query?: Query;
  /** How it is counted besides by who asks: as a log-in, as money, or, what must always be heard, not at all. */
  rate?: 'login' | 'money' | 'none';
  /** Of money, how many it is worth. */
  cost?: (body: z.output<Body>) => number;
  /** Answers may be long: worth compressing. */
  compress?: boolean;
  answers: Record<number, Answer>;
  /** Besides those that follow from the rest of the row, such as 401 where a token is needed. */
  problems?: readonly ErrorCode[];
  handler(call: Call<z.output<Body>, z.output<Query>>): Promise<void> | void;
}

/** Writes a row with its handler typed by the row's own schemas. */
export function route<Body extends ZodType, Query extends ZodType>(row: Route<Body, Query>): Route {
  return row;
}

const BODY_LIMIT_BYTES = 100 * 1024;
const noQuery = z.strictObject({});

/** A row as Express serves it. Who is calling comes first, so that strangers learn nothing of what a body should be. */
export function serve(
  row: Route,
  deps: { callers: Callers; rates: RateLimits; sealer: Sealer; isStopping: () => boolean },
): RequestHandler {
  const changes = row.method !== 'get';
  const byAddress: RatePolicyName[] = row.rate === 'login' ? ['address', 'login'] : ['address'];
  const byCaller: RatePolicyName[] = row.rate === 'money' && !row.cost ? ['user', 'money'] : ['user'];
  return async (req, res) => {
    req.context.route = row.path;
    if (changes && deps.isStopping()) {
      throw new Problem('shutting_down', { headers: { Connection: 'close' } });
    }
    const address = addressOf(req);
    if (row.rate !== 'none') await deps.rates.count(req, byAddress, address);
    if (row.auth !== 'public') {
      const trace = (shard: number) => traceOf(req, deps.sealer, houseOf(shard));
      const caller = await authenticate(deps.callers, req, { changes, address, trace });
      if (row.rate !== 'none') await deps.rates.count(req, byCaller, whoIs(caller));
      req.context.role = requirePermission(caller, row.auth);
    }
    const query: unknown = row.query || req.url.includes('?') ? parseQuery(row.query ?? noQuery, req) : undefined;
    let body: unknown;
    if (row.body) {
      req.body = await readJson(req, row.bodyLimitBytes ?? BODY_LIMIT_BYTES);
      body = parseBody(row.body, req);
      if (row.cost) await deps.rates.count(req, ['money'], whoIs(requireCaller(req)), row.cost(body));
    }
    await row.handler({ req, res, body, query });
  };
}

/** The codes a route can answer: its own, and those that follow from the rest of its row. */
export function problemsOf(row: Route): ErrorCode[] {
  const codes = new Set<ErrorCode>(row.problems);
  codes.add('invalid_request').add('internal');
  if (row.rate !== 'none') codes.add('rate_limited');
  if (row.auth !== 'public')
    codes
      .add('unauthenticated')
      .add('forbidden')
      .add('user_frozen')
      .add('unknown_identity')
      .add('provider_unavailable');
  if (row.body) codes.add('malformed_json').add('body_too_large').add('unsupported_media_type');
  if (row.method !== 'get') codes.add('shutting_down');
  if (row.path.startsWith('/v1/')) codes.add('shard_unavailable');
  return [...codes].sort();
}
