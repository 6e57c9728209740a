import * as schemas from '../contracts/schemas';
import { findAttention, type AttentionRow } from '../ledger/attention';
import type { PlacedPage } from '../ledger/places';
import type { Shard } from '../ledger/shards';
import { pageOfAllShards } from './all-shards';
import type { ApiDeps } from './deps';
import { toDate } from './pages';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { showTransactions } from './showing';

export function attentionRoutes(deps: Pick<ApiDeps, 'shards' | 'names' | 'sealer' | 'workflowUrl'>): Route[] {
  const show = showTransactions(deps);

  return [
    route({
      id: 'listAttention',
      method: 'get',
      path: '/v1/ops/attention',
      tag: 'Ops',
      summary: 'What waits for a person',
      description:
        'Transactions that need attention or wait for approval, of all shards, by when they were asked for. ' +
        'A shard that is not reachable is named in a 503.',
      auth: 'attention:read',
      query: schemas.attentionQuery,
      compress: true,
      answers: { 200: { description: 'A page of them', schema: schemas.attentionList } },
      async handler({ res, query }) {
        const { type, status, reason, currency } = query;
        const filters = { type, status, reason, currency, since: toDate(query.since), until: toDate(query.until) };
        const read = async (shard: Shard, page: PlacedPage) => {
          const rows = await findAttention(shard.db, shard.number, { ...filters, ...page });
          const shown = await show(shard.db, rows);
          return rows.map((row, index) => ({
            place: { at: row.created_at, shard: shard.number, id: row.id },
            item: itemOf(deps, row, shown[index]!),
          }));
        };
        sendJson(res, 200, await pageOfAllShards(deps.shards, query, read));
      },
    }),
  ];
}

function itemOf(
  { workflowUrl }: Pick<ApiDeps, 'workflowUrl'>,
  row: AttentionRow,
  transaction: schemas.TransactionView,
): schemas.AttentionItemView {
  const { owner_workflow: workflowId, since, created_at: createdAt } = row;
  return {
    transaction,
    since: (since ?? createdAt).toISOString(),
    lastError: lastErrorOf(row),
    workflowId,
    workflowUrl: workflowId === null ? null : workflowUrl(workflowId),
  };
}

function lastErrorOf({ detail }: AttentionRow): string | null {
  if (detail === null) return null;
  const { lastError } = JSON.parse(detail) as { lastError?: string };
  return lastError ?? null;
}
