import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import type { Logger } from 'pino';
import type { Role } from '../contracts/statuses';
import type { Caller } from './auth';
import type { Problem } from './problems';

/** What is known of a request while it is served, and becomes its log line at the end. */
export interface RequestContext {
  requestId: string;
  startedAt: number;
  /** The route's pattern, never the address itself: addresses name users. */
  route: string | undefined;
  caller: Caller | undefined;
  /** In which the caller was let in. */
  role: Role | undefined;
  problem: Problem | undefined;
  /** The transaction it asked for: the thread from a client's request to its workflow. */
  transactionId: string | undefined;
}

declare module 'express-serve-static-core' {
  interface Request {
    context: RequestContext;
  }
}

const USABLE_REQUEST_ID = /^[A-Za-z0-9._-]{1,100}$/;

/** First of all: the request's id, the headers that never change, and one log line when it is over. */
export function requestContext(log: Logger, headers: readonly (readonly [string, string])[]): RequestHandler {
  return (req, res, next) => {
    const given = req.headers['x-request-id'];
    const requestId = typeof given === 'string' && USABLE_REQUEST_ID.test(given) ? given : randomUUID();
    req.context = {
      requestId,
      startedAt: performance.now(),
      route: undefined,
      caller: undefined,
      role: undefined,
      problem: undefined,
      transactionId: undefined,
    };
    res.setHeader('X-Request-Id', requestId);
    for (const [name, value] of headers) res.setHeader(name, value);
    res.once('close', () => logRequest(log, req, res.statusCode, res.writableFinished));
    next();
  };
}

export function requestIdOf(req: Request): string {
  return req.context.requestId;
}

function logRequest(log: Logger, req: Request, status: number, answered: boolean): void {
  const { requestId, startedAt, route, caller, problem, transactionId } = req.context;
  const line = {
    requestId,
    method: req.method,
    route,
    status: answered ? status : 499,
    ms: Math.round((performance.now() - startedAt) * 10) / 10,
    userId: caller?.userId,
    transactionId,
    code: problem?.code,
  };
  if (problem && problem.status >= 500) log.error({ ...line, err: problem.cause ?? problem }, 'request failed');
  else log.info(line, 'request');
}
