import type { AccountId } from '../contracts/ids';
import { formatAmount } from '../contracts/money';
import type { EntryView, TransactionView, TransactionWithTimelineView } from '../contracts/schemas';
import { REFUSALS, type Refusal, type TransactionStatus, type TransactionType } from '../contracts/statuses';
import type { EntryRow, TimelineRow, TransactionRow } from '../ledger/queries';
import { fieldOf, type Opened, type Sealed } from '../ledger/seal';

/** The public names of accounts, as `names.ofAccounts` finds them. */
export type AccountNames = ReadonlyMap<AccountId, string>;

/** A transaction with everything in the clear. */
export interface ClearTransaction {
  id: string;
  type: TransactionType;
  status: TransactionStatus;
  from: string;
  to: string;
  amountMinor: bigint;
  currency: string;
  message: string | null;
  reason: string | null;
  linkedTo: string | null;
  bankAccount: { id: string; number: string } | null;
  createdAt: Date;
  completedAt: Date | null;
}

/** The one form in which a transaction is shown, wherever what is known of it came from. */
export function clearTransactionView(facts: ClearTransaction): TransactionView {
  return {
    id: facts.id,
    type: facts.type,
    status: facts.status,
    from: facts.from,
    to: facts.to,
    amount: formatAmount(facts.amountMinor, facts.currency),
    currency: facts.currency,
    message: facts.message,
    reason: facts.reason,
    linkedTo: facts.linkedTo,
    bankAccount: facts.bankAccount,
    createdAt: facts.createdAt.toISOString(),
    completedAt: facts.completedAt?.toISOString() ?? null,
    links: { self: `/v1/transactions/${facts.id}` },
  };
}

/** A transaction as a row of the books has it. `names` must know its accounts, `masked` the number of its bank account. */
export function transactionView(
  row: TransactionRow,
  { names, masked, opened }: { names: AccountNames; masked: ReadonlyMap<string, string>; opened: Opened },
): TransactionView {
  const bankAccount = row.bank_account_id;
  return clearTransactionView({
    id: row.id,
    type: row.type,
    status: row.status,
    from: nameOf(row.from_account, names),
    to: recipientOf(row, names, opened),
    amountMinor: row.amount,
    currency: row.currency,
    message: opened(row.message_sealed),
    reason: row.reason,
    linkedTo: row.linked_to,
    bankAccount: bankAccount === null ? null : { id: bankAccount, number: masked.get(bankAccount) ?? '****' },
    createdAt: row.created_at,
    completedAt: row.completed_at,
  });
}

/** `notes`: what people wrote with their decisions, which is for staff, as the words of errors are. */
export function timelineView(
  events: readonly TimelineRow[],
  notes: ReadonlyMap<string, string | null> | undefined,
): TransactionWithTimelineView['timeline'] {
  return events.map(({ at, kind, detail }) => {
    const { by, ...rest } = JSON.parse(detail) as { id?: string; by?: { actor?: string; role?: string } };
    const note = notes?.get(rest.id ?? '');
    const facts = { ...rest, ...(by && { actor: by.actor, role: by.role }), ...(note && { note }) };
    return { at: at.toISOString(), event: kind, detail: readableDetail(facts, notes !== undefined) };
  });
}

export function entryView(row: EntryRow, shard: number, names: AccountNames, opened: Opened): EntryView {
  const { currency } = row;
  // The transaction's other side: in a ledger of one wallet, who it came from or went to.
  const sent = row.account_id === row.from_account;
  return {
    id: `en_${shard}_${row.block}_${row.index}`,
    transactionId: row.transaction_id,
    type: row.type,
    amount: formatAmount(row.amount, currency),
    currency,
    balanceBefore: formatAmount(row.balance_after - row.amount, currency),
    balanceAfter: formatAmount(row.balance_after, currency),
    counterparty: sent ? recipientOf(row, names, opened) : nameOf(row.from_account, names),
    message: opened(row.message_sealed),
    createdAt: row.at.toISOString(),
  };
}

/** The accounts whose names a view of these rows needs. */
export function accountsOf(rows: readonly Pick<TransactionRow, 'from_account' | 'to_account'>[]): AccountId[] {
  return rows.flatMap((row) => (row.to_account === null ? [row.from_account] : [row.from_account, row.to_account]));
}

/** The texts that a view of this row needs opened. */
export function sealedIn(row: Pick<TransactionRow, 'id' | 'message_sealed' | 'to_name_sealed'>): Sealed[] {
  return [
    { text: row.message_sealed, field: fieldOf.message(row.id) },
    { text: row.to_name_sealed, field: fieldOf.recipient(row.id) },
  ];
}

function recipientOf(
  row: Pick<TransactionRow, 'to_account' | 'to_name_sealed'>,
  names: AccountNames,
  opened: Opened,
): string {
  if (row.to_account !== null) return nameOf(row.to_account, names);
  return opened(row.to_name_sealed) ?? 'unknown';
}

/** An account whose name was erased is still told apart by its opaque id. */
function nameOf(accountId: AccountId, names: AccountNames): string {
  return names.get(accountId) ?? accountId;
}

/** What an owner of the money may read of an event; an error's own words may name servers, and are for staff. */
const SHOWN_TO_ALL = new Set(['reason', 'step', 'period']);

function readableDetail(facts: Record<string, unknown>, forStaff: boolean): string | null {
  const parts = Object.entries<unknown>(facts)
    .filter(([key]) => forStaff || SHOWN_TO_ALL.has(key))
    .map(([key, value]) => (key === 'reason' ? readableReason(String(value)) : `${key}: ${String(value)}`));
  return parts.length > 0 ? parts.join(' ') : null;
}

function readableReason(reason: string): string {
  return Object.hasOwn(REFUSALS, reason) ? REFUSALS[reason as Refusal] : reason;
}
