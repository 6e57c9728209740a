import pg from 'pg';
import { valueTypes } from '../../ledger/postgres';
import type { Stack } from './stack';

/** Each shard's books, read as the application, past everything of ours. */
export async function withBooks<T>(
  { appUrls }: Pick<Stack, 'appUrls'>,
  read: (books: pg.Client[]) => Promise<T>,
): Promise<T> {
  const books = appUrls.map((connectionString) => new pg.Client({ connectionString, types: valueTypes }));
  try {
    for (const db of books) await db.connect();
    return await read(books);
  } finally {
    await Promise.all(books.map((db) => db.end()));
  }
}

/** What all shards answer, one after the other. */
export async function rowsOf<Row extends pg.QueryResultRow>(
  books: readonly pg.Client[],
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const results = await Promise.all(books.map((db) => db.query<Row>(text, values)));
  return results.flatMap(({ rows }) => rows);
}

export async function countOf(books: readonly pg.Client[], what: string, values: unknown[] = []): Promise<bigint> {
  return total((await rowsOf<{ n: bigint }>(books, `select count(*) as n from ${what}`, values)).map(({ n }) => n));
}

export const total = (amounts: readonly bigint[]): bigint => amounts.reduce((sum, amount) => sum + amount, 0n);
