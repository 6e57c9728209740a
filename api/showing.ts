import type { Kysely } from 'kysely';
import type { TransactionView } from '../contracts/schemas';
import type { TransactionRow } from '../ledger/queries';
import type { Database } from '../ledger/schema';
import { maskedNumbers } from '../payments/bank-accounts';
import type { ApiDeps } from './deps';
import { accountsOf, transactionView } from './views';

export type ShowTransactions = (db: Kysely<Database>, rows: readonly TransactionRow[]) => Promise<TransactionView[]>;

/** Shows rows of one shard, with the names of their wallets and the masked numbers of their bank accounts. */
export function showTransactions({ names, sealer }: Pick<ApiDeps, 'names' | 'sealer'>): ShowTransactions {
  return async (db, rows) => {
    const bankAccounts = rows.flatMap((row) => row.bank_account_id ?? []);
    const [known, masked] = await Promise.all([
      names.ofAccounts(accountsOf(rows)),
      maskedNumbers(db, [...new Set(bankAccounts)]),
    ]);
    return rows.map((row) => transactionView(row, { names: known, masked, sealer }));
  };
}
