import type { AttentionItemView } from '../../contracts/schemas';
import type { OpsClient } from './client';

/** Which of what waits for a person: each must fit. */
export interface Filters {
  type?: string;
  status?: string;
  reason?: string;
  currency?: string;
  since?: string;
  until?: string;
}

const PAGE = 200;

export const isFilter = ({ type, status, reason, currency, since, until }: Filters): boolean =>
  [type, status, reason, currency, since, until].some((each) => each !== undefined);

/** What waits and fits, oldest first, page by page up to so many. */
export async function waiting(client: OpsClient, filters: Filters, limit = Infinity): Promise<AttentionItemView[]> {
  return pages<AttentionItemView>(client, '/v1/ops/attention', { ...filters }, limit);
}

/** The list's pages one after the other. */
export async function pages<Item>(
  client: OpsClient,
  path: string,
  query: Record<string, string | undefined>,
  limit: number,
): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | undefined;
  while (items.length < limit) {
    const size = String(Math.min(PAGE, limit - items.length));
    const page = await client.get<{ data: Item[]; nextCursor: string | null }>(path, { ...query, limit: size, cursor });
    items.push(...page.data);
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
  }
  return items;
}
