import type { Kysely } from 'kysely';
import { readCursor, writeCursor } from '../ledger/cursor';
import { spanOf, type Page, type Span } from '../ledger/spans';
import type { Database } from '../ledger/schema';
import { invalidRequest } from './validate';

export const HOW_TO_PAGE =
  'Newest first. A filter that matches little is looked for in a stretch of the history at a time: a page can hold ' +
  'fewer than `limit`, even none, and only a null `nextCursor` is the end.';

interface SpanQuery {
  cursor?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

/** The part of the books that a list's query asks for. */
export function readSpan(db: Kysely<Database>, query: SpanQuery): Promise<Span> {
  return spanOf(db, limitsOf(query));
}

export function limitsOf(query: SpanQuery) {
  const cursor = query.cursor === undefined ? undefined : readCursor(query.cursor);
  if (query.cursor !== undefined && !cursor) {
    throw invalidRequest([{ field: 'query cursor', message: 'is not one of ours' }]);
  }
  return { cursor, since: toDate(query.since), until: toDate(query.until) };
}

export function nextCursorOf({ next }: Page<unknown>): string | null {
  return next ? writeCursor(next) : null;
}

/** Blocks are timed in whole milliseconds: the first one at or after a finer time is the first at the next of them. */
export function toDate(time: string | undefined): Date | undefined {
  if (time === undefined) return undefined;
  const finer = /\.\d{3}(\d*[1-9]\d*)Z$/.test(time);
  return new Date(Date.parse(time) + (finer ? 1 : 0));
}
