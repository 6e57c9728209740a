import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Faults, Subject } from './faults';

/** An answer that brings no fact. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function requireKey(apiKey: string): RequestHandler {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(`Bearer ${apiKey}`);
  return (req, _res, next) => {
    if (timingSafeEqual(digest(req.headers.authorization ?? ''), expected)) next();
    else throw new Refusal(401, 'wrong_api_key', 'The API key is missing or wrong.');
  };
}

/** Faults that meet a call before it does anything. */
export function faultyDoor(faults: Faults, subjectOf: (req: Request) => Subject): RequestHandler {
  return async (req: Request, res: Response, next: NextFunction) => {
    if (!faults.areOn) return next();
    const subject = subjectOf(req);
    const outage = faults.hitThisTime('outage', subject);
    if (outage?.mode === 'destroy') return breakOff(res, 'outage');
    if (outage) throw new Refusal(503, 'unavailable', 'Out of service.');
    const slow = faults.hitThisTime('slow', subject);
    if (slow) await sleep(slow.delayMs ?? 1_000);
    next();
  };
}

/** The client learns nothing, as when a network fails. */
export function breakOff(res: Response, why: string): void {
  res.locals.brokenOff = why;
  res.destroy();
}
