import type pg from 'pg';
import type { BankControl } from '../../bank/simulator/control';
import { systemAccountId, type TransactionId } from '../../contracts/ids';
import { derivedTransactionId } from '../../ledger/identity';
import { transactionOfReference } from '../../payments/requests';

const DAY_MS = 86_400_000;
const SHARD = 0;

/**
 * What the bank has moved less what `@bank` says of it, by transaction: to the cent, and only where the two differ. What
 * the books opened with is left out, since the bank never heard of that.
 */
export async function differencesFromBank(db: pg.Client, bank: BankControl): Promise<Record<TransactionId, bigint>> {
  const moved = new Map<TransactionId, bigint>();
  const add = (id: TransactionId, amount: bigint) => moved.set(id, (moved.get(id) ?? 0n) + amount);
  for (const balance of await bank.balances()) {
    const lines = await statementOf(bank, balance.currency);
    const sum = lines.reduce((total, line) => total + line.amountMinor, 0n);
    expect(balance).toMatchObject({ amountMinor: sum, statementSumMinor: sum });
    for (const { reference, settlementId, amountMinor } of lines) {
      const id = reference === undefined ? creditOf(settlementId) : transactionOfReference(reference);
      add(id ?? `unknown: ${reference}`, amountMinor);
    }
  }
  for (const { id, amount } of await bookedAtBank(db)) add(id, amount);
  return Object.fromEntries([...moved].filter(([, difference]) => difference !== 0n));
}

const creditOf = (creditId: string) => derivedTransactionId(SHARD, 'credit', creditId);

/** A test may run over midnight. */
async function statementOf(bank: BankControl, currency: string) {
  const days = [new Date(Date.now() - DAY_MS), new Date()].map((day) => day.toISOString().slice(0, 10));
  return (await Promise.all(days.map((day) => bank.statement(currency, day)))).flat();
}

/** By the transaction that went to the bank: what undid it counts as its own. */
async function bookedAtBank(db: pg.Client): Promise<{ id: TransactionId; amount: bigint }[]> {
  const { rows } = await db.query<{ id: TransactionId; amount: bigint }>(
    `select case when t.type = 'reversal' then t.linked_to else t.id end as id, e.amount
     from entries e join transactions t on t.id = e.transaction_id
     where t.type <> 'opening' and e.account_id = $1 || e.currency`,
    [systemAccountId(SHARD, '@bank', '')],
  );
  return rows;
}
