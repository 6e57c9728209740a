import type { TransactionWithTimelineView } from '../../contracts/schemas';
import type { OpsClient } from './client';
import type { Screen } from './screen';
import { plain, table } from './table';

/** One transaction, with everything that happened to it. */
export async function show(
  client: OpsClient,
  id: string,
  { json }: { json?: boolean },
  screen: Screen,
): Promise<number> {
  const found = await client.get<TransactionWithTimelineView>(`/v1/transactions/${encodeURIComponent(id)}`);
  screen.print(json ? JSON.stringify(found, null, 2) : textOf(found));
  return 0;
}

function textOf({ timeline, links: _links, ...facts }: TransactionWithTimelineView): string {
  const lines = Object.entries(facts).flatMap(([name, value]) =>
    value === null || value === '' ? [] : [[label(name), typeof value === 'string' ? value : JSON.stringify(value)]],
  );
  const width = Math.max(...lines.map(([name]) => name!.length));
  const events = timeline.map(({ at, event, detail }) => [at, event, detail ?? '']);
  return [
    ...lines.map(([name, value]) => `${name!.padEnd(width)}  ${plain(value!)}`),
    '',
    table(['WHEN', 'WHAT', ''], events),
  ].join('\n');
}

/** `createdAt` as people write it: created at. */
function label(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
