import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import { ROLES, type Role } from '../contracts/statuses';
import { Problem } from './problems';

export interface ProviderOptions {
  issuer: string;
  audience: string;
  /** Which signatures are accepted; none with a shared secret is ever among them. */
  algorithms: string[];
  /** Where the keys are; left out, the issuer's discovery says. */
  jwksUrl?: string;
  usernameClaim: string;
  /** Where the provider says who may do what: what it calls each of our roles. */
  roles?: { claim: string; names: ReadonlyMap<string, Role> };
  /** How long a key that isn't known is not asked for again. */
  cooldownMs?: number;
}

/** What a provider says of who is calling. */
export interface Vouched {
  issuer: string;
  subject: string;
  username: string;
  /** Absent where nothing is said of roles. */
  roles?: readonly Role[];
}

type Keys = ReturnType<typeof createRemoteJWKSet>;

const FETCH_WITHIN_MS = 3_000;
const COOLDOWN_MS = 30_000;
const RETRY_AFTER_MS = 5_000;
const CLOCKS_APART_SECONDS = 5;

/** Tokens of somebody else, checked with the keys that they publish. */
export class Provider {
  private keys: Promise<Keys> | undefined;
  private failedAt = -Infinity;

  constructor(private readonly options: ProviderOptions) {}

  /** Whether a token says that it is the provider's; nothing is proven by it. */
  isFor(token: string): boolean {
    try {
      return decodeJwt(token).iss === this.options.issuer;
    } catch {
      return false;
    }
  }

  /** Throws for whatever isn't a token of the provider's for us, and a Problem while its keys can't be had. */
  async verify(token: string): Promise<Vouched> {
    const { issuer, audience, algorithms, usernameClaim, roles } = this.options;
    const { payload } = await jwtVerify(token, this.keyOf, {
      issuer,
      audience,
      algorithms,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: CLOCKS_APART_SECONDS,
    });
    const username = claimOf(payload, usernameClaim);
    if (typeof username !== 'string') throw new TypeError('The token names no user');
    return {
      issuer,
      subject: payload.sub!,
      username: username.toLowerCase(),
      ...(roles && { roles: rolesIn(claimOf(payload, roles.claim), roles.names) }),
    };
  }

  private readonly keyOf: JWTVerifyGetKey = async (header, token) => {
    if (performance.now() < this.failedAt + Math.min(RETRY_AFTER_MS, this.cooldownMs))
      return (await this.remembered())(header, token);
    try {
      this.keys ??= this.findKeys();
      return await (
        await this.keys
      )(header, token);
    } catch (error) {
      if (!isUnanswered(error)) throw error;
      this.failedAt = performance.now();
      return (await this.remembered(error))(header, token);
    }
  };

  private get cooldownMs(): number {
    return this.options.cooldownMs ?? COOLDOWN_MS;
  }

  /** What is known is good for as long as it would be, were the provider there. */
  private async remembered(cause?: unknown): Promise<ReturnType<typeof createLocalJWKSet>> {
    const keys = await this.keys?.catch(() => undefined);
    if (!keys) this.keys = undefined;
    const known = keys?.fresh ? keys.jwks() : undefined;
    if (!known) throw new Problem('provider_unavailable', { cause });
    return createLocalJWKSet(known);
  }

  private async findKeys(): Promise<Keys> {
    const url = this.options.jwksUrl ?? (await this.discover());
    return createRemoteJWKSet(new URL(url), { timeoutDuration: FETCH_WITHIN_MS, cooldownDuration: this.cooldownMs });
  }

  private async discover(): Promise<string> {
    const { issuer } = this.options;
    const answer = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
      redirect: 'error',
      signal: AbortSignal.timeout(FETCH_WITHIN_MS),
    });
    const found = (await answer.json()) as { issuer?: unknown; jwks_uri?: unknown };
    if (!answer.ok || found.issuer !== issuer || typeof found.jwks_uri !== 'string') {
      throw new Error('The issuer is not found under its own name');
    }
    return found.jwks_uri;
  }
}

/** Whether it is the provider who failed, and not the token. */
function isUnanswered(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return true;
  return (
    error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === 'ERR_JOSE_GENERIC'
  );
}

/** By its name, or by the way to it: `realm_access.roles`. */
function claimOf(payload: JWTPayload, name: string): unknown {
  if (name in payload) return payload[name];
  const step = (at: unknown, part: string) => (at as Record<string, unknown> | null | undefined)?.[part];
  return name.split('.').reduce<unknown>(step, payload);
}

function rolesIn(claim: unknown, names: ReadonlyMap<string, Role>): Role[] {
  const given: unknown[] = Array.isArray(claim) ? claim : typeof claim === 'string' ? claim.split(' ') : [];
  return ROLES.filter((role) => given.some((each) => typeof each === 'string' && names.get(each) === role));
}
