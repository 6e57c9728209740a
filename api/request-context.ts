import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import type { Logger } from 'pino';
import type { Role } from '../contracts/statuses';
import { problems, requests, slowRequests } from '../metrics/instruments';
import { during, startRequest, type Attributes } from '../tracing';
import type { Caller } from './auth';
import type { Problem } from './problems';
import type { Rates } from './rate-limits';

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
  /** The workflow that carries it out; of a bulk request, the last one. */
  workflowId: string | undefined;
  /** It asked to be kept waiting, and so is not slow. */
  mayWait: boolean;
  rates: Rates;
}

declare module 'express-serve-static-core' {
  interface Request {
    context: RequestContext;
  }
}

const USABLE_REQUEST_ID = /^[A-Za-z0-9._-]{1,100}$/;

/** First of all: the request's id, the headers that never change, and one log line when it is over. */
export function requestContext(
  { log, slowMs }: { log: Logger; slowMs: number },
  headers: readonly (readonly [string, string])[],
): RequestHandler {
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
      workflowId: undefined,
      mayWait: false,
      rates: new Map(),
    };
    // What looks after processes asks for the rest, all the time.
    const span = req.url.startsWith('/v1/') ? startRequest(req.method, req.headers) : undefined;
    res.setHeader('X-Request-Id', requestId);
    for (const [name, value] of headers) res.setHeader(name, value);
    res.once('close', () => {
      const status = res.writableFinished ? res.statusCode : 499;
      const ms = performance.now() - req.context.startedAt;
      const isSlow = ms > slowMs && !req.context.mayWait;
      count(req, status, ms, isSlow);
      logRequest(log, req, { status, ms, isSlow, trace: span?.ids() });
      span?.end(...spanOf(req, status));
    });
    during(req.context, () => (span ? span.run(next) : next()));
  };
}

export function requestIdOf(req: Request): string {
  return req.context.requestId;
}

function count(req: Request, status: number, ms: number, isSlow: boolean): void {
  const labels = { method: req.method, route: req.context.route ?? 'none' };
  requests.observe({ ...labels, status }, ms / 1_000);
  if (isSlow) slowRequests.inc(labels);
  const { problem } = req.context;
  if (problem) problems.inc({ route: labels.route, code: problem.code });
}

function logRequest(
  log: Logger,
  req: Request,
  { status, ms, isSlow, trace }: { status: number; ms: number; isSlow: boolean; trace: object | undefined },
): void {
  const { requestId, route, caller, problem, transactionId, workflowId } = req.context;
  const line = {
    requestId,
    method: req.method,
    route,
    status,
    ms: Math.round(ms * 10) / 10,
    userId: caller?.userId,
    keyId: caller?.keyId,
    transactionId,
    workflowId,
    code: problem?.code,
    ...trace,
  };
  if (problem && problem.status >= 500) log.error({ ...line, err: problem.cause ?? problem }, 'request failed');
  else if (isSlow) log.warn(line, 'slow request');
  else log.info(line, 'request');
}

/** Named by its route: an address may name a user. */
function spanOf(req: Request, status: number): [name: string, attributes: Attributes, isError: boolean] {
  const { requestId, route, transactionId, workflowId, problem } = req.context;
  const attributes = {
    'http.request.method': req.method,
    'http.route': route,
    'http.response.status_code': status,
    'error.type': problem?.code,
    'holdfast.request_id': requestId,
    'holdfast.transaction_id': transactionId,
    temporalWorkflowId: workflowId,
  };
  return [`${req.method} ${route ?? 'unknown'}`, attributes, status >= 500];
}
