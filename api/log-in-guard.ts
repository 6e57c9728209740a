import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { UserId } from '../contracts/ids';
import type { KnownAddresses } from '../users/known-addresses';
import { take, type Counter, type Counters } from './counters';
import { tooMany } from './rate-limits';

/** So many wrong passwords for a user from one address are people's own mistakes. */
const FREE_TRIES = 5;
const LONGEST_DELAY_SECONDS = 900;
const REMEMBERED_SECONDS = 86_400;
/** What all addresses together may try of one user's password, but for those that the user has logged in from. */
const TRIES_AN_HOUR = 100;
const HOUR_SECONDS = 3_600;

interface Who {
  username: string;
  address: string;
}

/**
 * Slows down who guesses passwords, and locks nobody out: what others try has no effect where the user has logged in
 * from before. Whether there is such a user makes no difference.
 */
export class LogInGuard {
  private readonly tries: Counter;
  private readonly delays: Counter;
  private readonly budget: Counter;

  constructor(
    counters: Counters,
    private readonly known: Pick<KnownAddresses, 'has' | 'remember'>,
    private readonly log: Logger,
    private readonly firstDelaySeconds = 1,
  ) {
    this.tries = counters.open({ name: 'login_tries', points: FREE_TRIES, seconds: REMEMBERED_SECONDS });
    this.delays = counters.open({ name: 'login_delay', points: 1, seconds: 1 });
    this.budget = counters.open({ name: 'login_budget', points: TRIES_AN_HOUR, seconds: HOUR_SECONDS });
  }

  /** The user whom `check` finds. Each try counts as wrong from before it is made, so that many at once are no way around. */
  async through<User extends { id: UserId }>(
    who: Who,
    check: () => Promise<User | undefined>,
  ): Promise<User | undefined> {
    const keys = keysOf(who);
    await this.admit(who, keys);
    let user: User | undefined;
    try {
      user = await check();
    } catch (error) {
      // It was not found out whether it was wrong.
      await Promise.all([this.tries.reward(keys.pair), this.budget.reward(keys.user)]);
      throw error;
    }
    if (user) await this.succeeded({ ...who, id: user.id }, keys);
    return user;
  }

  private async admit(who: Who, { pair, user }: Keys): Promise<void> {
    const delay = await this.delays.get(pair);
    if (delay && delay.consumedPoints > 0 && delay.msBeforeNext > 0) throw tooMany('login_delay', delay.msBeforeNext);
    const { consumedPoints: tries } = await this.tries.penalty(pair);
    if (tries > FREE_TRIES) {
      const customDuration = delayAfter(tries - FREE_TRIES, this.firstDelaySeconds);
      const turn = await take(this.delays, pair, 1, { customDuration });
      if (turn.isRefused) throw tooMany('login_delay', turn.resetMs);
    }
    const left = await take(this.budget, user);
    if (left.isRefused && !(await this.known.has(who.username, who.address))) {
      // Nobody looked at this password: it wasn't a wrong one.
      await this.tries.reward(pair);
      throw tooMany('login_budget', left.resetMs);
    }
  }

  private async succeeded({ id, username, address }: Who & { id: UserId }, { pair, user }: Keys): Promise<void> {
    await Promise.all([
      this.tries.delete(pair),
      this.delays.delete(pair),
      this.budget.reward(user),
      this.known.remember({ id, username }, address).catch((err: unknown) => {
        this.log.warn({ err }, 'where a user logged in from could not be remembered');
      }),
    ]);
  }
}

/** It doubles with each try that was too many. */
export function delayAfter(tooMany: number, firstSeconds = 1): number {
  return Math.min(firstSeconds * 2 ** (tooMany - 1), LONGEST_DELAY_SECONDS);
}

type Keys = ReturnType<typeof keysOf>;

/** Where it is counted neither names nor addresses can be read. */
function keysOf({ username, address }: Who) {
  const hashed = (...parts: string[]) => createHash('sha256').update(parts.join('\0')).digest('base64url').slice(0, 22);
  return { pair: hashed(username, address), user: hashed(username) };
}
