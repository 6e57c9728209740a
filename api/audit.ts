import { parseWalletName, shardOfId, USERNAME } from '../contracts/ids';
import * as schemas from '../contracts/schemas';
import { auditEvents, placeOf, type AuditRow } from '../ledger/audit';
import { readCursor } from '../ledger/cursor';
import type { PlacedPage } from '../ledger/places';
import { fieldOf, type Opened, type Sealed } from '../ledger/seal';
import type { Shard } from '../ledger/shards';
import { Users } from '../users/store';
import { pageOfAllShards } from './all-shards';
import type { ApiDeps } from './deps';
import { toDate } from './pages';
import { route, type Route } from './routes';
import { sendJson } from './send';
import { invalidRequest } from './validate';

export function auditRoutes(deps: Pick<ApiDeps, 'shards' | 'names' | 'sealer'>): Route[] {
  const users = new Users(deps.shards, deps.sealer);

  /** People know names; the chain knows ids. What is neither is looked for as it is. */
  async function idOf(name: string): Promise<string> {
    if (shardOfId(name) !== undefined) return name;
    const wallet = parseWalletName(name);
    if (wallet) return (await deps.names.resolve(wallet))?.accountId ?? name;
    return (USERNAME.test(name) ? (await users.byUsername(name))?.id : undefined) ?? name;
  }

  return [
    route({
      id: 'listAudit',
      method: 'get',
      path: '/v1/ops/audit',
      tag: 'Ops',
      summary: 'Who did what, when, from where, by which request',
      description:
        'Every change that somebody made besides postings, of all shards, from the hash-chained books. ' +
        'A shard that is not reachable is named in a 503.',
      auth: 'audit:read',
      query: schemas.auditQuery,
      compress: true,
      answers: { 200: { description: 'A page of events', schema: schemas.auditList } },
      async handler({ res, query }) {
        const { kind } = query;
        const [actor, subject] = await Promise.all([
          query.actor && idOf(query.actor),
          query.subject && idOf(query.subject),
        ]);
        const filters = { actor, subject, kind, since: toDate(query.since), until: toDate(query.until) };
        const read = async (shard: Shard, page: PlacedPage) => {
          if (page.after && !readCursor(page.after.id)) throw notOurs();
          const rows = await auditEvents(shard.db, shard.number, { ...filters, ...page });
          const details = rows.map((row) => JSON.parse(row.detail) as Detail);
          const opened = await deps.sealer.openAll(rows.flatMap((row, index) => sealedIn(row, details[index]!)));
          return rows.map((row, index) => ({
            place: placeOf(shard.number, row),
            item: itemOf(shard.number, row, details[index]!, opened),
          }));
        };
        sendJson(res, 200, await pageOfAllShards(deps.shards, query, read));
      },
    }),
  ];
}

const notOurs = () => invalidRequest([{ field: 'query cursor', message: 'is not one of ours' }]);

interface Detail {
  by: { actor: string; role?: string; key?: string; request?: string; address?: string };
  note?: string;
}

function sealedIn(row: AuditRow, { by, note }: Detail): Sealed[] {
  return [
    { text: by.address ?? null, field: fieldOf.address(by.request) },
    { text: note ?? null, field: fieldOf.note(row.subject_id) },
  ];
}

function itemOf(shard: number, row: AuditRow, { by, note, ...detail }: Detail, opened: Opened): schemas.AuditItemView {
  return {
    id: `ev_${shard}_${row.block}_${row.index}`,
    at: row.at.toISOString(),
    actor: by.actor,
    role: by.role ?? null,
    key: by.key ?? null,
    kind: row.kind,
    subject: row.subject_id,
    requestId: by.request ?? null,
    address: opened(by.address ?? null),
    note: opened(note ?? null),
    detail,
  };
}
