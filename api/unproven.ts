import { take, type Counter, type Counters } from './counters';
import { tooMany } from './rate-limits';

const MISSES_A_MINUTE = 60;

/**
 * What carries no mark of ours is from before there were marks, or made up. Only the database can tell, so an address has it
 * asked so often in vain and no more.
 */
export class Unproven {
  private readonly misses: Counter;

  constructor(counters: Counters) {
    this.misses = counters.open({ name: 'unproven', points: MISSES_A_MINUTE, seconds: 60 });
  }

  /** Each counts as a miss from before it is looked up, so that many at once are no way around. */
  async through<Found>(address: string, look: () => Promise<Found | undefined>): Promise<Found | undefined> {
    const miss = await take(this.misses, address);
    if (miss.isRefused) throw tooMany('unproven', miss.resetMs);
    const giveBack = () => this.misses.reward(address);
    const found = await look().catch(async (error: unknown) => {
      // Whose shard is away asked for nothing in vain.
      await giveBack();
      throw error;
    });
    if (found !== undefined) await giveBack();
    return found;
  }
}
