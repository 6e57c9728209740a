import { createSigner, createVerifier } from 'fast-jwt';
import type { Permission } from '../contracts/permissions';
import { ROLES, type Role } from '../contracts/statuses';
import type { UserId } from '../contracts/ids';

/** Who is calling: as a token says, or as their shard does. */
export interface Caller {
  userId: UserId;
  username: string;
  roles: readonly Role[];
  /** Without one, a token is good until it expires, or its user is frozen. */
  sessionId?: string;
  /** The API key that speaks for them, and what it is limited to. */
  keyId?: string;
  scopes?: readonly Permission[];
}

export interface Tokens {
  issue(caller: Caller): { accessToken: string; expiresAt: Date };
  /** Throws for whatever isn't a token of ours, or no longer is. */
  verify(token: string): Caller;
}

const ISSUER = 'holdfast';
const AUDIENCE = 'holdfast-api';
const MAX_REMEMBERED = 20_000;

/**
 * JWTs under HS256, which is the only algorithm accepted. A verified token is remembered until it expires, since a client
 * sends the same one with every request. fast-jwt has such a memory too, but hashes the token to find it there, which is
 * a tenth of what a request costs; here the token itself is the key.
 */
export function createTokens(options: { key: string; ttlSeconds: number }): Tokens {
  const sign = createSigner({
    key: options.key,
    algorithm: 'HS256',
    iss: ISSUER,
    aud: AUDIENCE,
    expiresIn: options.ttlSeconds * 1000,
  });
  const verify = createVerifier({
    key: options.key,
    algorithms: ['HS256'],
    allowedIss: ISSUER,
    allowedAud: AUDIENCE,
    requiredClaims: ['sub', 'username', 'roles', 'iat', 'exp', 'iss', 'aud'],
  });
  const remembered = new Map<string, { caller: Caller; expiresAtMs: number }>();

  return {
    issue({ userId, username, roles, sessionId }) {
      const iat = Math.floor(Date.now() / 1000);
      const accessToken = sign({ sub: userId, username, roles: [...roles], ...(sessionId && { sid: sessionId }), iat });
      return { accessToken, expiresAt: new Date((iat + options.ttlSeconds) * 1000) };
    },
    verify(token) {
      const known = remembered.get(token);
      if (known && Date.now() < known.expiresAtMs) return known.caller;
      const claims = verify(token) as Record<string, unknown>;
      const caller = readCaller(claims);
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(token, { caller, expiresAtMs: Number(claims['exp']) * 1000 });
      return caller;
    },
  };
}

function readCaller({ sub, username, roles, sid }: Record<string, unknown>): Caller {
  const isRole = (role: unknown): role is Role => ROLES.includes(role as Role);
  if (typeof sub !== 'string' || typeof username !== 'string' || !Array.isArray(roles) || !roles.every(isRole)) {
    throw new TypeError('The token carries no caller');
  }
  return { userId: sub, username, roles, ...(typeof sid === 'string' && { sessionId: sid }) };
}
