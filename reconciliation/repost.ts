import type { By } from '../ledger/by';
import type { Command, Outcome, TransactionOutcome } from '../ledger/commands';
import { RECEIVE } from '../ledger/crossing';
import { factsOf } from '../ledger/items';
import type { Shard } from '../ledger/shards';
import { openHouseAccounts } from '../users/accounts';
import { availableIn, type LostHalf } from './lost-rows';

/** What became of one thing that a restored shard had lost: done again, or left for people. */
export interface Reposted {
  subject: string;
  done: boolean;
  detail: string;
}

const AT_ONCE = 500;

/**
 * Posts lost halves again, each under its own id, in the order in which they had been. What can't be paid is tried once
 * more after all else, since that may have brought the money; what still can't is left.
 */
export async function repostHalves(restored: Shard, lost: readonly LostHalf[], by: By): Promise<Reposted[]> {
  for (const currency of new Set(lost.map(({ item }) => item.currency))) await openHouseAccounts(restored, currency);
  const done: Reposted[] = [];
  let waiting = [...lost];
  let left: Reposted[];
  let isMoving: boolean;
  do {
    left = [];
    const again: LostHalf[] = [];
    for (let from = 0; from < waiting.length; from += AT_ONCE) {
      const some = waiting.slice(from, from + AT_ONCE);
      const commands = some.map(({ half, item }): Command => ({ kind: 'repost', facts: factsOf(item), half, ...by }));
      const outcomes = await restored.poster.post(commands);
      for (const [index, each] of some.entries()) {
        const outcome = outcomes[index]!;
        if (outcome.kind === 'transaction' && outcome.status === 'completed') {
          done.push({ subject: each.item.id, done: true, detail: doneDetail(each, outcome) });
        } else {
          left.push(await leftOf(restored, each, outcome));
          again.push(each);
        }
      }
    }
    isMoving = again.length < waiting.length;
    waiting = again;
  } while (isMoving && waiting.length > 0);
  return [...done, ...left];
}

/** Forbids credits whose senders have their money back, as it was before. Says how many were not forbidden any more. */
export async function forbidCredits(restored: Shard, ids: readonly string[]): Promise<Reposted[]> {
  const done: Reposted[] = [];
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const some = ids.slice(from, from + AT_ONCE);
    const outcomes = await restored.poster.post(
      some.map((transactionId): Command => ({ kind: 'tombstone', transactionId, step: RECEIVE })),
    );
    for (const [index, subject] of some.entries()) {
      const outcome = outcomes[index]!;
      const isForbidden = outcome.kind === 'step' && outcome.outcome === 'tombstone';
      const detail = isForbidden ? 'given back by its sender’s shard; its credit is forbidden' : textOf(outcome);
      done.push({ subject, done: isForbidden, detail });
    }
  }
  return done;
}

export function whatOf({ half, item }: LostHalf): string {
  const { amountMinor, currency, from, to } = item;
  return half === 'credit'
    ? `credit of ${amountMinor} ${currency} to ${to}`
    : `debit of ${amountMinor} ${currency} from ${from}`;
}

function doneDetail(lost: LostHalf, { replayed, reason }: TransactionOutcome): string {
  return `${whatOf(lost)} ${replayed ? 'is there by now' : 'posted again'}${reason === null ? '' : `: ${reason}`}`;
}

async function leftOf(restored: Shard, lost: LostHalf, outcome: Outcome): Promise<Reposted> {
  const left = { subject: lost.item.id, done: false };
  const what = `${whatOf(lost)} is left`;
  if (outcome.kind !== 'refused' || outcome.reason !== 'insufficient_funds') {
    return { ...left, detail: `${what}: ${textOf(outcome)}` };
  }
  const available = (await availableIn(restored, lost.item.from)) ?? 0n;
  const missing = BigInt(lost.item.amountMinor) - available;
  return { ...left, detail: `${what}: insufficient_funds, ${available} is there and ${missing} missing` };
}

function textOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'transaction':
      return `it is ${outcome.status} here${outcome.reason === null ? '' : ` (${outcome.reason})`}`;
    case 'refused':
      return outcome.reason;
    case 'step':
      return `its step ${outcome.step} is ${outcome.outcome === 'tombstone' ? 'forbidden' : 'done'} here`;
    case 'trouble':
      return outcome.error;
    default:
      return `the books answered ${outcome.kind}`;
  }
}
