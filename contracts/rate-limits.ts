/** Each counts something else, and has a limit of its own. */
export const RATE_POLICIES = ['address', 'login', 'user', 'money'] as const;
export type RatePolicyName = (typeof RATE_POLICIES)[number];

/** So many in so many seconds. */
export interface RatePolicy {
  count: number;
  seconds: number;
}

/** What isn't named has no limit. */
export type RatePolicies = Partial<Record<RatePolicyName, RatePolicy>>;
