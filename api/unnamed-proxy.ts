import type { RequestHandler } from 'express';
import type { Logger } from 'pino';

/** Says once that requests come by a proxy which nobody named: its address would stand for all of its clients. */
export function tellOfUnnamedProxy(log: Logger): RequestHandler {
  let isTold = false;
  return (req, _res, next) => {
    if (!isTold && req.headers['x-forwarded-for'] !== undefined) {
      isTold = true;
      log.warn('a request came with X-Forwarded-For, but HOLDFAST_TRUST_PROXY is not set: docs/rate-limits.md');
    }
    next();
  };
}
