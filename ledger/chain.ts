import { createHash } from 'node:crypto';

export const GENESIS_HASH = Buffer.alloc(32);

/** What a block holds, in the form that is hashed: every column that must never change, in the order of its index. */
export interface BlockContent {
  number: bigint;
  at: Date;
  transactions: readonly ChainedTransaction[];
  entries: readonly ChainedEntry[];
  events: readonly ChainedEvent[];
}

export interface ChainedTransaction {
  id: string;
  type: string;
  actor_id: string;
  from_account: string;
  to_account: string | null;
  to_name_sealed: string | null;
  amount: bigint;
  currency: string;
  message_sealed: string | null;
  command_hash: string;
  linked_to: string | null;
  bank_account_id: string | null;
}

export interface ChainedEntry {
  transaction_id: string;
  account_id: string;
  currency: string;
  amount: bigint;
  balance_after: bigint;
}

export interface ChainedEvent {
  subject_id: string;
  kind: string;
  detail: string;
}

/** SHA-256 over the block before and this block's content; JSON keeps the fields apart. */
export function blockHash(previous: Buffer, content: BlockContent): Buffer {
  const lines: string[] = [JSON.stringify(['block', content.number.toString(), content.at.toISOString()])];
  for (const row of content.transactions) {
    lines.push(
      JSON.stringify([
        row.id,
        row.type,
        row.actor_id,
        row.from_account,
        row.to_account,
        row.to_name_sealed,
        row.amount.toString(),
        row.currency,
        row.message_sealed,
        row.command_hash,
        ...linksOf(row),
      ]),
    );
  }
  for (const row of content.entries) {
    lines.push(
      JSON.stringify([
        row.transaction_id,
        row.account_id,
        row.currency,
        row.amount.toString(),
        row.balance_after.toString(),
      ]),
    );
  }
  for (const row of content.events) lines.push(JSON.stringify([row.subject_id, row.kind, row.detail]));
  return createHash('sha256').update(previous).update(lines.join('\n')).digest();
}

/** Left out where there are none, so that blocks from before there were any keep their hash. */
function linksOf({ linked_to, bank_account_id }: ChainedTransaction): (string | null)[] {
  return linked_to === null && bank_account_id === null ? [] : [linked_to, bank_account_id];
}
