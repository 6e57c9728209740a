import type { StatementLine, StatementPage } from '../rail';
import type { Queryable } from './database';

export interface NewLine {
  settlementId: string;
  reference?: string;
  kind: StatementLine['kind'];
  /** Positive: the account grows. */
  amount: bigint;
  currency: string;
}

/**
 * Moves the account, inside the caller's transaction. The balance's row is locked first: lines of a currency then come
 * one after the other, so that a reader who follows the statement by its numbers misses none.
 */
export async function move(db: Queryable, lines: NewLine[]): Promise<void> {
  if (lines.length === 0) return;
  await db.query(
    `insert into balances (currency, amount)
     select currency, sum(amount) from unnest($1::text[], $2::bigint[]) as t (currency, amount)
     group by currency order by currency
     on conflict (currency) do update set amount = balances.amount + excluded.amount`,
    [lines.map((line) => line.currency), lines.map((line) => line.amount)],
  );
  await db.query(
    `insert into statement_lines (settlement_id, reference, kind, amount, currency, at)
     select settlement_id, reference, kind, amount, currency, clock_timestamp()
     from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
       as t (settlement_id, reference, kind, amount, currency)`,
    [
      lines.map((line) => line.settlementId),
      lines.map((line) => line.reference ?? null),
      lines.map((line) => line.kind),
      lines.map((line) => line.amount),
      lines.map((line) => line.currency),
    ],
  );
}

interface LineRow {
  seq: bigint;
  settlement_id: string;
  reference: string | null;
  kind: StatementLine['kind'];
  amount: bigint;
  currency: string;
  at: Date;
}

export async function statementPage(
  db: Queryable,
  query: { day: string; currency: string; cursor?: string | undefined; limit: number },
): Promise<StatementPage> {
  const { rows } = await db.query<LineRow>(
    `select seq, settlement_id, reference, kind, amount, currency, at from statement_lines
     where currency = $1 and day = $2 and seq > $3 order by seq limit $4`,
    [query.currency, query.day, query.cursor ?? '0', query.limit + 1],
  );
  const lines = rows.slice(0, query.limit);
  return {
    lines: lines.map((row) => ({
      settlementId: row.settlement_id,
      ...(row.reference !== null && { reference: row.reference }),
      kind: row.kind,
      amountMinor: row.amount,
      currency: row.currency,
      at: row.at.toISOString(),
    })),
    ...(rows.length > query.limit && { nextCursor: lines.at(-1)!.seq.toString() }),
  };
}

export interface Balance {
  currency: string;
  amountMinor: bigint;
  /** The sum of the statement's lines. It is the same, or the bank has lost its way. */
  statementSumMinor: bigint;
}

/** One statement, so that both figures are of one moment. */
export async function balances(db: Queryable): Promise<Balance[]> {
  const { rows } = await db.query<{ currency: string; amount: bigint; sum: string | null }>(
    `select currency, b.amount, (select sum(amount)::text from statement_lines l where l.currency = b.currency) as sum
     from balances b order by currency`,
  );
  return rows.map(({ currency, amount, sum }) => ({
    currency,
    amountMinor: amount,
    statementSumMinor: BigInt(sum ?? 0),
  }));
}
