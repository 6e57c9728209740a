import { shardOfId, systemAccountId } from '../contracts/ids';
import type { TransferItem, ItemOutcome, ItemResult } from '../contracts/transfers';
import type { Command, Outcome } from './commands';
import { crosses, RECEIVE, TRY } from './crossing';
import { factsOf, resultOf } from './items';
import type { Shards } from './shards';

/** A hold past this is looked at by the clean-up; it ends only by what the two shards say. */
const HOLD_MS = 10 * 60_000;

/**
 * Transfers of one source shard, all the way: those inside it in one commit; those to other shards by try, confirm and
 * capture or release, each phase one commit for all of them. Run again after any failure it goes on where the books say
 * it is. Throws when a shard does not answer: what was tried then stays held, and goes forward or back later.
 */
export async function carryOut(
  shards: Shards,
  shard: number,
  items: readonly TransferItem[],
  owner: string,
): Promise<ItemResult[]> {
  const expiresAt = new Date(Date.now() + HOLD_MS);
  const outcomes = await shards
    .shard(shard)
    .poster.post(items.map((item): Command => ({ kind: 'transfer', facts: factsOf(item), owner, expiresAt })));
  const results = outcomes.map((outcome, index) => resultOf(items[index]!.id, outcome));
  const held = items.filter((item, index) => crosses(item) && isOpen(results[index]!));
  if (held.length === 0) return results;

  const received = await receiveAll(shards, held);
  const ended = await endAll(shards, shard, received);
  return results.map((result) => {
    const end = ended.get(result.id);
    // The answer is how it ended, but whether it was there before is what the first phase found.
    return end === undefined
      ? result
      : 'replayed' in end
        ? { ...end, replayed: 'replayed' in result && result.replayed }
        : end;
  });
}

const isOpen = (result: ItemResult) => result.status === 'pending' || result.status === 'needs_attention';

type Received = { item: TransferItem; outcome: Outcome };

/** Confirm, on every target's shard at once. */
async function receiveAll(shards: Shards, held: readonly TransferItem[]): Promise<Received[]> {
  const byShard = new Map<number, TransferItem[]>();
  for (const item of held) {
    const target = shardOfId(item.to!)!;
    byShard.set(target, [...(byShard.get(target) ?? []), item]);
  }
  const phases = [...byShard].map(async ([target, items]): Promise<Received[]> => {
    const commands = items.map((item): Command => ({ kind: 'receive', facts: factsOf(item) }));
    const outcomes = await shards.shard(target).poster.post(commands);
    return items.map((item, index) => ({ item, outcome: outcomes[index]! }));
  });
  return (await Promise.all(phases)).flat();
}

/** Credited: only forward, the hold is captured. Refused, or forbidden by a tombstone: only back, it is released. */
async function endAll(shards: Shards, shard: number, received: readonly Received[]): Promise<Map<string, ItemResult>> {
  const results = new Map<string, ItemResult>();
  const ending: { id: string; command: Command }[] = [];
  for (const { item, outcome } of received) {
    const command = endOf(shard, item, outcome);
    if (command) ending.push({ id: item.id, command });
    else results.set(item.id, resultOf(item.id, outcome));
  }
  const outcomes = await shards.shard(shard).poster.post(ending.map(({ command }) => command));
  outcomes.forEach((outcome, index) => {
    const { id } = ending[index]!;
    results.set(id, resultOf(id, outcome));
  });
  return results;
}

function endOf(shard: number, item: TransferItem, outcome: Outcome): Command | undefined {
  const facts = factsOf(item);
  if (outcome.kind === 'transaction' && outcome.status === 'completed') {
    const to = systemAccountId(shard, '@clearing', item.currency);
    return { kind: 'capture', facts, step: 'capture', holdStep: TRY, to };
  }
  const back = { kind: 'release', facts, step: 'release', holdStep: TRY } as const;
  if (outcome.kind === 'transaction') return { ...back, status: 'rejected', reason: outcome.reason ?? 'refused' };
  if (outcome.kind === 'step') return { ...back, status: 'cancelled', reason: 'cancelled_by_ops' };
  return undefined;
}

/**
 * Ends a transfer with nothing moved, unless it is too late: then it goes forward, and the answer says so. To another
 * shard a tombstone comes first: only when the credit can't land any more is the hold released.
 */
export async function callOff(shards: Shards, shard: number, item: TransferItem, owner: string): Promise<ItemResult> {
  const facts = factsOf(item);
  if (!crosses(item)) {
    const [outcome] = await shards.shard(shard).poster.post([{ kind: 'cancel', facts, reason: 'cancelled_by_ops' }]);
    return resultOf(item.id, outcome!);
  }
  const target = shards.shard(shardOfId(item.to!)!);
  const [mark] = await target.poster.post([{ kind: 'tombstone', transactionId: item.id, step: RECEIVE }]);
  if (mark!.kind !== 'step') return resultOf(item.id, mark!);
  if (mark!.outcome === 'done') return (await carryOut(shards, shard, [item], owner))[0] as ItemOutcome;
  const [outcome] = await shards.shard(shard).poster.post([endOf(shard, item, mark!)!]);
  return resultOf(item.id, outcome!);
}
