import type { Request, Response } from 'express';
import ipaddr from 'ipaddr.js';
import type { RatePolicies, RatePolicyName } from '../contracts/rate-limits';
import { rateLimited } from '../metrics/instruments';
import type { Caller } from './auth';
import { take, type Counter, type Counters, type Taken } from './counters';
import { Problem } from './problems';

interface Limited {
  counter: Counter;
  /** As RateLimit-Policy says it. */
  policy: string;
}

/** What a request has taken of each policy that it falls under. */
export type Rates = Map<RatePolicyName, Taken & { policy: string }>;

/** How often somebody may ask. */
export class RateLimits {
  private readonly limited = new Map<RatePolicyName, Limited>();

  constructor(counters: Counters, policies: RatePolicies) {
    for (const [name, { count, seconds }] of Object.entries(policies) as [
      RatePolicyName,
      RatePolicies['user'] & {},
    ][]) {
      const counter = counters.open({ name, points: count, seconds });
      this.limited.set(name, { counter, policy: `"${name}";q=${count};w=${seconds}` });
    }
  }

  /** Counts a request, or as many as it is worth, and refuses it once there were too many. Every answer says what is left. */
  async count(req: Request, names: readonly RatePolicyName[], key: string, cost = 1): Promise<void> {
    const counted = names.filter((name) => this.limited.has(name));
    if (counted.length === 0) return;
    const { rates } = req.context;
    await Promise.all(
      counted.map(async (name) => {
        const { counter, policy } = this.limited.get(name)!;
        rates.set(name, { policy, ...(await take(counter, key, cost)) });
      }),
    );
    showRates(req.res!, rates);
    for (const name of counted) if (rates.get(name)!.isRefused) throw tooMany(name, rates.get(name)!.resetMs);
  }
}

/** As the IETF's draft has it: draft-ietf-httpapi-ratelimit-headers. */
function showRates(res: Response, rates: Rates): void {
  const all = [...rates];
  res.setHeader('RateLimit-Policy', all.map(([, { policy }]) => policy).join(', '));
  res.setHeader(
    'RateLimit',
    all.map(([name, { left, resetMs }]) => `"${name}";r=${left};t=${secondsOf(resetMs)}`).join(', '),
  );
}

/** `policy` is what the metrics call it. */
export function tooMany(policy: string, retryMs: number): Problem {
  rateLimited.inc({ policy });
  return new Problem('rate_limited', { headers: { 'Retry-After': String(secondsOf(retryMs)) } });
}

const secondsOf = (ms: number) => Math.max(1, Math.ceil(ms / 1_000));

/** Who is calling, as far as limits go: a person, or a key of theirs, which has limits of its own. */
export function whoIs({ userId, keyId }: Caller): string {
  return keyId ?? userId;
}

/** Where a request comes from. Of IPv6 the network, since everybody has a whole one. */
export function addressOf({ ip = '' }: Request): string {
  if (!ip.includes(':')) return ip;
  if (!ipaddr.isValid(ip)) return ip;
  const address = ipaddr.process(ip);
  if (address instanceof ipaddr.IPv4) return address.toString();
  return `${address.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}
