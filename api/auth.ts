import type { Request } from 'express';
import type { Role } from '../contracts/statuses';
import { Problem } from './problems';
import type { Caller, Tokens } from './tokens';

export type { Caller } from './tokens';

const BEARER = /^Bearer +([A-Za-z0-9_.-]+)$/i;

/** Finds out who is calling; every route that isn't public begins with this. */
export function authenticate(tokens: Tokens, req: Request): Caller {
  const header = req.headers.authorization;
  if (header === undefined) {
    throw new Problem('unauthenticated', { detail: 'This request carries no access token.' });
  }
  const token = BEARER.exec(header)?.[1];
  try {
    if (token !== undefined) return (req.context.caller = tokens.verify(token));
  } catch {
    // Why it failed is of use to nobody who should have a token.
  }
  throw new Problem('unauthenticated', {
    detail: 'The access token is not valid, or has expired.',
    headers: { 'WWW-Authenticate': 'Bearer realm="holdfast", error="invalid_token"' },
  });
}

/** The caller of a route that isn't public. */
export function requireCaller(req: Request): Caller {
  const { caller } = req.context;
  if (!caller) throw new Error('A public route has no caller');
  return caller;
}

/** Who may read everybody's things. */
export const STAFF: readonly Role[] = ['ops', 'auditor', 'admin'];
/** Who may act on everybody's things. */
export const OPERATORS: readonly Role[] = ['ops', 'admin'];

export function isStaff(caller: Caller): boolean {
  return caller.roles.some((role) => STAFF.includes(role));
}

/** The role in which the caller may act on somebody else's things, if there is one. */
export function operatorRole(caller: Caller): Role | undefined {
  return caller.roles.find((role) => OPERATORS.includes(role));
}

/** The role that lets the caller in: a staff one, where there is one. */
export function requireRole(caller: Caller, allowed: readonly Role[]): Role {
  const roles = caller.roles.filter((role) => allowed.includes(role));
  const [role] = roles;
  if (role === undefined) {
    throw new Problem('forbidden', { detail: `This needs the role ${allowed.join(' or ')}.` });
  }
  return roles.find((each) => each !== 'customer') ?? role;
}
