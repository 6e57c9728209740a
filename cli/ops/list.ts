import type { AttentionItemView, InboxItemView } from '../../contracts/schemas';
import { pages, waiting, type Filters } from './choose';
import type { OpsClient } from './client';
import type { Screen } from './screen';
import { table } from './table';

export interface ListOptions extends Filters {
  limit: number;
  json?: boolean;
}

export async function list(
  client: OpsClient,
  { limit, json, ...filters }: ListOptions,
  screen: Screen,
): Promise<number> {
  // One more than shown says whether there are more.
  const found = await waiting(client, filters, limit + 1);
  const shown = found.slice(0, limit);
  if (json) screen.print(JSON.stringify(shown, null, 2));
  else if (shown.length === 0) screen.print('Nothing waits for a person.');
  else screen.print(tableOf(shown));
  if (found.length > limit) screen.note(`There are more than ${limit}: --limit shows more.`);
  return 0;
}

function tableOf(items: AttentionItemView[]): string {
  const head = ['ID', 'TYPE', 'STATUS', 'AMOUNT', '', 'FROM', 'TO', 'REASON', 'SINCE'];
  const rows = items.map(({ transaction: { id, type, status, amount, currency, from, to, reason }, since }) => {
    return [id, type, status, amount, currency, from, to, reason ?? '', minute(since)];
  });
  return table(head, rows, { right: [3] });
}

export async function listInbox(
  client: OpsClient,
  { limit, json }: { limit: number; json?: boolean },
  screen: Screen,
): Promise<number> {
  const found = await pages<InboxItemView>(client, '/v1/ops/inbox', {}, limit + 1);
  const shown = found.slice(0, limit);
  if (json) screen.print(JSON.stringify(shown, null, 2));
  else if (shown.length === 0) screen.print('The inbox holds nothing for a person.');
  else screen.print(inboxTable(shown));
  if (found.length > limit) screen.note(`There are more than ${limit}: --limit shows more.`);
  return 0;
}

function inboxTable(items: InboxItemView[]): string {
  const head = ['EVENT', 'KIND', 'SUBJECT', 'AMOUNT', '', 'REASON', 'RECEIVED'];
  const rows = items.map(({ eventId, kind, subject, amount, currency, reason, receivedAt }) => {
    return [eventId, kind, subject, amount ?? '', currency ?? '', reason ?? '', minute(receivedAt)];
  });
  return table(head, rows, { right: [3] });
}

const minute = (at: string) => at.slice(0, 16).replace('T', ' ');
