import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import * as schemas from '../contracts/schemas';
import type { PlacedPage } from '../ledger/places';
import type { Shard } from '../ledger/shards';
import { find, findingsOf, list, type ReconciliationRow } from '../reconciliation/rows';
import { pageOfAllShards } from './all-shards';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';

/** What reconciliation found, and starting one: it moves no money, but it works and writes, so not for who only reads. */
export function reconciliationRoutes(deps: Pick<ApiDeps, 'shards' | 'owners' | 'reconcileYoungMs'>): Route[] {
  const { shards, owners, reconcileYoungMs: youngMs } = deps;
  return [
    route({
      id: 'listReconciliations',
      method: 'get',
      path: '/v1/ops/reconciliations',
      tag: 'Ops',
      summary: 'Reconciliations, and how much each found',
      description:
        'Of all shards, by when they were started, newest first. A shard that is not reachable is named in a 503.',
      auth: 'reconciliations:read',
      query: schemas.reconciliationsQuery,
      compress: true,
      answers: { 200: { description: 'A page of them', schema: schemas.reconciliationList } },
      async handler({ res, query }) {
        const read = async (shard: Shard, page: PlacedPage) => {
          const rows = await list(shard.db, shard.number, page);
          return rows.map((row) => ({
            place: { at: row.started_at, shard: shard.number, id: row.id },
            item: { ...viewOf(row, shard.number), findings: row.findings },
          }));
        };
        sendJson(res, 200, await pageOfAllShards(shards, query, read));
      },
    }),
    route({
      id: 'startReconciliation',
      method: 'post',
      path: '/v1/ops/reconciliations',
      tag: 'Ops',
      summary: 'Start a reconciliation of everything',
      description: 'Its parts appear in the list as they begin, all with the `run` that is answered.',
      auth: 'reconciliations:start',
      answers: { 202: { description: 'Started', schema: schemas.reconciliationStart } },
      problems: ['not_started'],
      async handler({ res }) {
        const run = randomUUID();
        if (!(await owners.reconcile({ run, shards: shards.count, youngMs }))) throw new Problem('not_started');
        sendJson(res, 202, { run });
      },
    }),
    route({
      id: 'getReconciliation',
      method: 'get',
      path: '/v1/ops/reconciliations/:reconciliationId',
      tag: 'Ops',
      summary: 'A reconciliation with its findings',
      auth: 'reconciliations:read',
      pathParameters: { reconciliationId: { description: 'As listed', schema: z.string().min(1) } },
      compress: true,
      answers: { 200: { description: 'The reconciliation', schema: schemas.reconciliation } },
      problems: ['not_found'],
      async handler({ req, res }) {
        const id = String(req.params['reconciliationId']);
        const shard = id.startsWith('rc_') ? shards.forId(id) : undefined;
        const row = shard && (await find(shard.db, id));
        if (!row) throw new Problem('not_found');
        sendJson(res, 200, { ...viewOf(row, shard.number), findings: await findingsOf(shard.db, id) });
      },
    }),
  ];
}

function viewOf(row: ReconciliationRow, shard: number): Omit<schemas.ReconciliationItemView, 'findings'> {
  return {
    id: row.id,
    run: row.run,
    shard,
    scope: row.scope,
    status: row.status,
    checked: Number(row.checked),
    error: row.error,
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
  };
}
