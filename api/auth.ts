import type { Request } from 'express';
import { PERMISSIONS, roleFor, type Permission } from '../contracts/permissions';
import type { Role } from '../contracts/statuses';
import { Problem } from './problems';
import type { Callers, How } from './callers';
import type { Caller } from './tokens';

export type { Caller } from './tokens';

const AUTHORIZATION = /^(?:Bearer|ApiKey) +([A-Za-z0-9_.-]+)$/i;

/** Finds out who is calling; every route that isn't public begins with this. */
export async function authenticate(callers: Callers, req: Request, how: How): Promise<Caller> {
  const header = req.headers.authorization;
  if (header === undefined) {
    throw new Problem('unauthenticated', { detail: 'This request carries no access token and no API key.' });
  }
  return (req.context.caller = await callers.identify(AUTHORIZATION.exec(header)?.[1], how));
}

/** The caller of a route that isn't public. */
export function requireCaller(req: Request): Caller {
  const { caller } = req.context;
  if (!caller) throw new Error('A public route has no caller');
  return caller;
}

/** Whether the caller may do it, besides what their route allows. */
export function mayDo(caller: Caller, permission: Permission): boolean {
  return (caller.scopes?.includes(permission) ?? true) && roleFor(permission, caller.roles) !== undefined;
}

/** The role that lets the caller in: a staff one, where there is one. */
export function requirePermission(caller: Caller, permission: Permission): Role {
  if (caller.scopes?.includes(permission) === false) {
    throw new Problem('forbidden', { detail: `This needs ${permission}, which is none of this key’s scopes.` });
  }
  const role = roleFor(permission, caller.roles);
  if (role !== undefined) return role;
  const detail = `This needs ${permission}, which the role ${PERMISSIONS[permission].join(' or ')} has.`;
  throw new Problem('forbidden', { detail });
}
