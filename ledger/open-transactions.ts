import type { Kysely, Selectable } from 'kysely';
import type { TransactionId } from '../contracts/ids';
import type { TransactionStatus, TransactionType } from '../contracts/statuses';
import type { TransferItem } from '../contracts/transfers';
import type { Database } from './schema';

export interface OpenTransaction {
  type: TransactionType;
  status: TransactionStatus;
  linkedTo: TransactionId | null;
  bankAccountId: string | null;
  /** As it travels; of a type that is no transfer's, the columns that all have. */
  item: TransferItem;
  owner: string | null;
  /** Money is held for it, and longer than was meant. */
  isOverdue: boolean;
  createdBlock: bigint;
  createdIndex: number;
}

/** What has not ended, oldest first: the row holds the whole command, so its workflow can be started again. */
export async function openTransactions(
  db: Kysely<Database>,
  options: { createdBefore: Date; after?: OpenTransaction | undefined; limit: number },
): Promise<OpenTransaction[]> {
  const { after } = options;
  const rows = await db
    .selectFrom('transactions')
    .selectAll()
    .select(({ exists, selectFrom }) =>
      exists(
        selectFrom('holds')
          .select('holds.step')
          .whereRef('holds.transaction_id', '=', 'transactions.id')
          .where('holds.status', '=', 'held')
          .where('holds.expires_at', '<', new Date()),
      ).as('is_overdue'),
    )
    .where('status', 'in', ['pending', 'awaiting_approval', 'needs_attention'])
    .where('created_at', '<', options.createdBefore)
    .$if(after !== undefined, (query) =>
      query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('created_block', 'created_index'), '>', tuple(after!.createdBlock, after!.createdIndex)),
      ),
    )
    .orderBy('created_block')
    .orderBy('created_index')
    .limit(options.limit)
    .execute();
  return rows.map((row) => ({
    type: row.type,
    status: row.status,
    linkedTo: row.linked_to,
    bankAccountId: row.bank_account_id,
    item: itemOf(row),
    owner: row.owner_workflow,
    isOverdue: Boolean(row.is_overdue),
    createdBlock: row.created_block,
    createdIndex: row.created_index,
  }));
}

/** A transfer as it travels, from its row on either of its shards. */
export function itemOf(row: Selectable<Database['transactions']>): TransferItem {
  return {
    id: row.id,
    ...(row.type === 'refund' && { type: row.type }),
    ...(row.linked_to !== null && { linkedTo: row.linked_to }),
    hash: row.command_hash,
    actor: row.actor_id,
    from: row.from_account,
    ...(row.to_account !== null && { to: row.to_account }),
    ...(row.to_name_sealed !== null && { toNameSealed: row.to_name_sealed }),
    amountMinor: row.amount.toString(),
    currency: row.currency,
    ...(row.message_sealed !== null && { messageSealed: row.message_sealed }),
  };
}
