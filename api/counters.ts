import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { rateLimitFallbacks } from '../metrics/instruments';

export type Counter = RateLimiterAbstract;

export interface CounterOptions {
  name: string;
  points: number;
  seconds: number;
}

/** Where it is counted who asks how often: in this process, or in a Redis that all processes share. */
export interface Counters {
  open(options: CounterOptions): Counter;
  close(): void;
}

const PREFIX = 'holdfast';
/** Of each kind, in this process. */
const MOST_KEYS = 50_000;
/** What a request may wait for Redis. */
const DEADLINE_MS = 50;
/** One that says nothing for so long is let go of. Longer than this process may be busy itself. */
const SILENT_MS = 1_000;
const LONGEST_PAUSE_MS = 2_000;

/** Who makes names and addresses up fills no memory: the oldest of too many is forgotten. */
class Bounded extends RateLimiterMemory {
  private readonly keys = new Set<string>();

  override consume(...asked: Parameters<RateLimiterMemory['consume']>): Promise<RateLimiterRes> {
    this.keep(String(asked[0]));
    return super.consume(...asked);
  }

  override penalty(...asked: Parameters<RateLimiterMemory['penalty']>): Promise<RateLimiterRes> {
    this.keep(String(asked[0]));
    return super.penalty(...asked);
  }

  private keep(key: string): void {
    if (this.keys.has(key)) return;
    this.keys.add(key);
    if (this.keys.size <= MOST_KEYS) return;
    const [oldest] = this.keys as Iterable<string> as [string];
    this.keys.delete(oldest);
    void this.delete(oldest);
  }
}

export function inProcess(): Counters {
  return {
    open: ({ name, points, seconds }) => new Bounded({ keyPrefix: name, points, duration: seconds }),
    close: () => undefined,
  };
}

/**
 * No request fails, or waits, because of Redis: while it is away each process counts by itself. One that is connected and
 * doesn't answer is let go of, and asked again once it says that it is ready.
 */
export function sharedBy(url: string, log: Logger): Counters {
  const redis = new Redis(url, {
    enableAutoPipelining: true, // what is asked in one turn of the event loop goes together
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1_000,
    commandTimeout: DEADLINE_MS,
    socketTimeout: SILENT_MS,
    retryStrategy: (times) => Math.min(times * 100, LONGEST_PAUSE_MS),
  });
  let isAway = false;
  let lastError: unknown;
  redis.on('error', (err) => (lastError = err));
  redis.on('reconnecting', () => {
    if (!isAway) log.warn({ err: lastError }, 'Redis is away: each process counts requests by itself');
    isAway = true;
  });
  redis.on('ready', () => {
    if (isAway) log.info('Redis is back: requests are counted together again');
    isAway = false;
  });
  return {
    open({ name, points, seconds: duration }) {
      const keyPrefix = `${PREFIX}:${name}`;
      const insuranceLimiter = new Insurance({ keyPrefix, points, duration });
      const rejectIfRedisNotReady = true;
      return new RateLimiterRedis({
        storeClient: redis,
        keyPrefix,
        points,
        duration,
        insuranceLimiter,
        rejectIfRedisNotReady,
      });
    },
    close: () => redis.disconnect(),
  };
}

/** Asked when Redis has not answered. */
class Insurance extends Bounded {
  override consume(...asked: Parameters<RateLimiterMemory['consume']>): Promise<RateLimiterRes> {
    rateLimitFallbacks.inc();
    return super.consume(...asked);
  }
}

/** What is left; a counter says that there is nothing left by throwing it. */
export async function take(counter: Counter, key: string, points = 1, options = {}): Promise<Taken> {
  try {
    const { remainingPoints, msBeforeNext } = await counter.consume(key, points, options);
    return { isRefused: false, left: remainingPoints, resetMs: msBeforeNext };
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error;
    return { isRefused: true, left: 0, resetMs: error.msBeforeNext };
  }
}

export interface Taken {
  isRefused: boolean;
  left: number;
  resetMs: number;
}
