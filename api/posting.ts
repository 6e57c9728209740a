import type { Command, Outcome } from '../ledger/commands';
import { ShardUnavailable } from '../ledger/postgres';
import { reachable, type Shard } from '../ledger/shards';
import { Problem } from './problems';

/**
 * Posts a command for a request. A shard known to be down refuses at the door, with nothing sent; once the command was
 * on its way, no answer means that it may be done.
 */
export async function post(shard: Shard, command: Command): Promise<Outcome> {
  const { poster } = await reachable(shard);
  try {
    const [outcome] = await poster.post([command]);
    return outcome!;
  } catch (error) {
    throw error instanceof ShardUnavailable ? new Problem('outcome_unknown', { cause: error }) : error;
  }
}

/** An answer of the books that no such command should ever have. */
export function unexpected(outcome: Outcome): Error {
  return new Error(`Unexpected answer of the books: ${JSON.stringify(outcome)}`);
}
