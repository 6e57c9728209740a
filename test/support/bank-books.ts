import type pg from 'pg';
import type { BankControl } from '../../bank/simulator/control';
import type { TransactionId } from '../../contracts/ids';
import { derivedTransactionId } from '../../ledger/identity';
import { transactionOfReference } from '../../payments/requests';
import { rowsOf } from './stack-books';

const DAY_MS = 86_400_000;

/**
 * What the bank has moved less what `@bank` of all shards says of it, by transaction: to the cent, and only where the two
 * differ. What the books opened with is left out, since the bank never heard of that.
 */
export async function differencesFromBank(
  books: pg.Client[],
  bank: BankControl,
): Promise<Record<TransactionId, bigint>> {
  const booked = await bookedAtBank(books);
  const known = new Set(booked.map(({ id }) => id));
  // A credit has a transaction on the shard of whom it was paid to.
  const creditOf = (creditId: string) =>
    books.map((_, shard) => derivedTransactionId(shard, 'credit', creditId)).find((id) => known.has(id));

  const moved = new Map<TransactionId, bigint>();
  const add = (id: TransactionId, amount: bigint) => moved.set(id, (moved.get(id) ?? 0n) + amount);
  for (const balance of await bank.balances()) {
    const lines = await statementOf(bank, balance.currency);
    const sum = lines.reduce((total, line) => total + line.amountMinor, 0n);
    expect(balance).toMatchObject({ amountMinor: sum, statementSumMinor: sum });
    for (const { reference, settlementId, amountMinor } of lines) {
      const id = reference === undefined ? creditOf(settlementId) : transactionOfReference(reference);
      add(id ?? `unknown: ${reference ?? settlementId}`, amountMinor);
    }
  }
  for (const { id, amount } of booked) add(id, amount);
  return Object.fromEntries([...moved].filter(([, difference]) => difference !== 0n));
}

/** A test may run over midnight. */
async function statementOf(bank: BankControl, currency: string) {
  const days = [new Date(Date.now() - DAY_MS), new Date()].map((day) => day.toISOString().slice(0, 10));
  return (await Promise.all(days.map((day) => bank.statement(currency, day)))).flat();
}

/** By the transaction that went to the bank: what undid it counts as its own. */
function bookedAtBank(books: pg.Client[]): Promise<{ id: TransactionId; amount: bigint }[]> {
  return rowsOf(
    books,
    `select case when t.type = 'reversal' then t.linked_to else t.id end as id, e.amount
     from entries e join transactions t on t.id = e.transaction_id
     where t.type <> 'opening' and split_part(e.account_id, '_', 3) = '@bank.' || e.currency`,
  );
}
