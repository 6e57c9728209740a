import { ApplicationFailure } from '@temporalio/common';
import { sql } from 'kysely';
import { isCurrency } from '../contracts/currencies';
import { systemAccountId } from '../contracts/ids';
import { BANK_ACTOR } from '../contracts/payments';
import type { TransactionOutcome } from '../ledger/commands';
import { derivedTransactionId } from '../ledger/identity';
import { reachable, type Shard } from '../ledger/shards';
import { parseEvent } from '../payments/events';
import { openHouseAccounts } from '../users/accounts';
import type { ActivityDeps } from './deps';

export function creditActivities({ shards }: ActivityDeps) {
  return {
    /** One deposit a credit, to the wallet its number names, or else to `@suspense`; the books know it by the bank's own number. */
    async bookCredit(shardNumber: number, eventId: string): Promise<string> {
      const shard = await reachable(shards.shard(shardNumber));
      const row = await shard.db
        .selectFrom('bank_inbox')
        .select('event')
        .where('event_id', '=', eventId)
        .executeTakeFirst();
      if (!row) throw ApplicationFailure.nonRetryable(`There is no event ${eventId}`);
      const event = parseEvent(row.event);
      if (event.kind !== 'credit') throw ApplicationFailure.nonRetryable(`${eventId} tells of no credit`);
      const { credit } = event;
      if (!isCurrency(credit.currency) || credit.amountMinor <= 0n) {
        await close(shard, eventId, 'unknown_currency');
        return 'needs attention: unknown_currency';
      }
      await openHouseAccounts(shard, credit.currency);
      const id = derivedTransactionId(shardNumber, 'credit', credit.creditId);
      const to = await accountOf(shard, credit.virtualAccount, credit.currency);
      const [outcome] = await shard.poster.post([
        {
          kind: 'credit',
          facts: {
            id,
            type: 'deposit',
            actorId: BANK_ACTOR,
            hash: id,
            from: systemAccountId(shardNumber, '@bank', credit.currency),
            ...(to !== undefined && { to }),
            amountMinor: credit.amountMinor,
            currency: credit.currency,
          },
        },
      ]);
      if (outcome!.kind !== 'transaction') throw ApplicationFailure.retryable(JSON.stringify(outcome));
      const { reason } = outcome as TransactionOutcome;
      await close(shard, eventId, reason ?? undefined);
      return reason === null ? `booked as ${id}` : `${reason}: ${id}`;
    },
  };
}

/** Done, or in people's hands: money that nobody claims stays on their list. */
async function close(shard: Shard, eventId: string, reason: string | undefined): Promise<void> {
  await shard.db
    .updateTable('bank_inbox')
    .set(reason === undefined ? { status: 'done', done_at: sql`now()` } : { status: 'needs_attention', reason })
    .where('event_id', '=', eventId)
    .where('status', '=', 'new')
    .execute();
}

async function accountOf(shard: Shard, virtualAccount: string, currency: string): Promise<string | undefined> {
  const row = await shard.db
    .selectFrom('virtual_accounts')
    .innerJoin('accounts', 'accounts.id', 'virtual_accounts.account_id')
    .select('accounts.id')
    .where('virtual_accounts.number', '=', virtualAccount)
    .where('accounts.currency', '=', currency)
    .executeTakeFirst();
  return row?.id;
}
