import type { Kysely } from 'kysely';
import type { TransactionView } from '../contracts/schemas';
import { notesOf, type TransactionRow } from '../ledger/queries';
import type { Database } from '../ledger/schema';
import { fieldOf, type Sealer } from '../ledger/seal';
import { maskedNumbers } from '../payments/bank-accounts';
import type { ApiDeps } from './deps';
import { accountsOf, sealedIn, transactionView } from './views';

export type ShowTransactions = (db: Kysely<Database>, rows: readonly TransactionRow[]) => Promise<TransactionView[]>;

/** Shows rows of one shard, with the names of their wallets and the masked numbers of their bank accounts. */
export function showTransactions({ names, sealer }: Pick<ApiDeps, 'names' | 'sealer'>): ShowTransactions {
  return async (db, rows) => {
    const bankAccounts = rows.flatMap((row) => row.bank_account_id ?? []);
    const [known, masked, opened] = await Promise.all([
      names.ofAccounts(accountsOf(rows)),
      maskedNumbers(db, [...new Set(bankAccounts)]),
      sealer.openAll(rows.flatMap(sealedIn)),
    ]);
    return rows.map((row) => transactionView(row, { names: known, masked, opened }));
  };
}

/** What people wrote with their decisions about it, by the decisions' ids. */
export async function showNotes(
  db: Kysely<Database>,
  transaction: string,
  sealer: Pick<Sealer, 'openAll'>,
): Promise<Map<string, string | null>> {
  const notes = [...(await notesOf(db, transaction))];
  const opened = await sealer.openAll(notes.map(([id, text]) => ({ text, field: fieldOf.note(id) })));
  return new Map(notes.map(([id, text]) => [id, opened(text)]));
}
