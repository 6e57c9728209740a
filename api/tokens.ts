import { createSigner, createVerifier } from 'fast-jwt';
import { ROLES, type Role } from '../contracts/statuses';
import type { UserId } from '../contracts/ids';

/** Who a token speaks for. */
export interface Caller {
  userId: UserId;
  username: string;
  roles: readonly Role[];
}

export interface Tokens {
  issue(caller: Caller): { accessToken: string; expiresAt: Date };
  /** Throws for whatever isn't a token of ours, or no longer is. */
  verify(token: string): Caller;
}

const ISSUER = 'holdfast';
const AUDIENCE = 'holdfast-api';
const CACHED_TOKENS = 20_000;

/**
 * JWTs under HS256, which is the only algorithm accepted. Verified tokens are remembered until they expire, since a
 * client sends the same one with every request; the token itself is the memory's key, which saves hashing it each time.
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
    cache: CACHED_TOKENS,
    cacheTTL: options.ttlSeconds * 1000,
    cacheKeyBuilder: (token) => token,
  });
  const callers = new WeakMap<object, Caller>();

  return {
    issue({ userId, username, roles }) {
      const iat = Math.floor(Date.now() / 1000);
      const accessToken = sign({ sub: userId, username, roles: [...roles], iat });
      return { accessToken, expiresAt: new Date((iat + options.ttlSeconds) * 1000) };
    },
    verify(token) {
      const claims = verify(token) as Record<string, unknown>;
      let caller = callers.get(claims);
      if (!caller) callers.set(claims, (caller = readCaller(claims)));
      return caller;
    },
  };
}

function readCaller({ sub, username, roles }: Record<string, unknown>): Caller {
  const isRole = (role: unknown): role is Role => ROLES.includes(role as Role);
  if (typeof sub !== 'string' || typeof username !== 'string' || !Array.isArray(roles) || !roles.every(isRole)) {
    throw new TypeError('The token carries no caller');
  }
  return { userId: sub, username, roles };
}
