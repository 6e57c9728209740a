import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { RATE_POLICIES, type RatePolicies } from '../contracts/rate-limits';

/** Who may ask how often, and how it is known who asks. */
export interface GuardConfig {
  rates: RatePolicies;
  /** Where all processes count together; without it each counts by itself. */
  redisUrl?: string;
  /** 0 where there is no proxy, false where nobody said. */
  trustProxy: false | number | string[];
}

const DEFAULTS: Required<RatePolicies> = {
  address: { count: 6_000, seconds: 60 },
  login: { count: 60, seconds: 60 },
  user: { count: 3_000, seconds: 60 },
  money: { count: 1_200, seconds: 60 },
};

export const guardVariables = {
  HOLDFAST_RATE_LIMITS: rateLimits(),
  HOLDFAST_REDIS_URL: z
    .url({ protocol: /^rediss?$/, error: 'must look like redis://:password@host:6379 (or rediss://).' })
    .optional(),
  HOLDFAST_TRUST_PROXY: trustedProxies(),
};

type Settings = z.infer<z.ZodObject<typeof guardVariables>>;

export function guardConfig(settings: Settings): GuardConfig {
  const { HOLDFAST_REDIS_URL: redisUrl } = settings;
  return {
    rates: settings.HOLDFAST_RATE_LIMITS,
    trustProxy: settings.HOLDFAST_TRUST_PROXY,
    ...(redisUrl !== undefined && { redisUrl }),
  };
}

/** `address:6000/60,money:none`: what isn't named is as by default; `none` alone is none at all. */
function rateLimits() {
  const names = RATE_POLICIES.join(', ');
  return z
    .string()
    .default('')
    .transform((text, context) => {
      if (text === 'none') return {};
      const policies: RatePolicies = { ...DEFAULTS };
      for (const each of text.split(',').map((given) => given.trim())) {
        if (each === '') continue;
        const match = /^(\w+):(?:none|([1-9]\d{0,8})\/([1-9]\d{0,5}))$/.exec(each);
        const name = RATE_POLICIES.find((one) => one === match?.[1]);
        if (!match || !name) {
          const message = `"${each}" will not do: give name:count/seconds or name:none, like user:3000/60; names are ${names}.`;
          context.addIssue({ code: 'custom', message });
        } else if (match[2] === undefined) delete policies[name];
        else policies[name] = { count: Number(match[2]), seconds: Number(match[3]) };
      }
      return policies;
    });
}

/** For who runs in production and left it out. */
export const NAME_PROXIES =
  'Say how many proxies stand before the API, or 0: rate limits and the audit would take the address of one for that of' +
  ' all its clients (docs/rate-limits.md).';

const NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];

/** How many proxies stand before us, or which addresses they have. */
function trustedProxies() {
  const message =
    'must be how many proxies there are (0: none), or their addresses and networks, like 10.0.0.0/8, comma separated.';
  return z
    .string()
    .default('')
    .transform((text) => (text === '' ? false : /^\d{1,2}$/.test(text) ? Number(text) : text.split(/\s*,\s*/)))
    .refine((trusted) => !Array.isArray(trusted) || trusted.every(isAddressOrNetwork), message);
}

function isAddressOrNetwork(text: string): boolean {
  return NETWORKS.includes(text) || ipaddr.isValid(text) || ipaddr.isValidCIDR(text);
}
