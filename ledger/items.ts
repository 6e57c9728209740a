import type { ItemResult, TransferItem } from '../contracts/transfers';
import type { Outcome, TransactionFacts } from './commands';

/** A transfer as it travels, as the books know it. */
export function factsOf(item: TransferItem): TransactionFacts {
  return {
    id: item.id,
    type: item.type ?? 'transfer',
    actorId: item.actor,
    hash: item.hash,
    from: item.from,
    to: item.to,
    toNameSealed: item.toNameSealed,
    amountMinor: BigInt(item.amountMinor),
    currency: item.currency,
    messageSealed: item.messageSealed,
    linkedTo: item.linkedTo,
  };
}

/** The books' answer to one transfer, as it travels. */
export function resultOf(id: string, outcome: Outcome): ItemResult {
  switch (outcome.kind) {
    case 'transaction':
      return {
        id,
        status: outcome.status,
        ...(outcome.reason !== null && { reason: outcome.reason }),
        createdAt: outcome.createdAt.toISOString(),
        ...(outcome.completedAt !== null && { completedAt: outcome.completedAt.toISOString() }),
        replayed: outcome.replayed,
      };
    case 'conflict':
      return { id, status: 'conflict' };
    case 'trouble':
      return { id, status: 'trouble', error: outcome.error };
    default:
      return { id, status: 'trouble', error: `The books answered ${outcome.kind}` };
  }
}
