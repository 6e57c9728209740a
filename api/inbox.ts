import { z } from 'zod';
import { isCurrency } from '../contracts/currencies';
import { formatAmount } from '../contracts/money';
import * as schemas from '../contracts/schemas';
import { houseOf } from '../ledger/data-keys';
import type { PlacedPage } from '../ledger/places';
import { fieldOf, type Opened, type Sealed } from '../ledger/seal';
import type { Shard } from '../ledger/shards';
import { parseEvent, type KnownEvent } from '../payments/events';
import { inboxInAttention, putAway, type InboxRow } from '../payments/inbox';
import { onEveryShard, pageOfAllShards } from './all-shards';
import { actingBy } from './acting';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson, sendNothing } from './send';

/** The bank's events that nothing could be made of. */
export function inboxRoutes({ shards, sealer }: Pick<ApiDeps, 'shards' | 'sealer'>): Route[] {
  return [
    route({
      id: 'listInbox',
      method: 'get',
      path: '/v1/ops/inbox',
      tag: 'Ops',
      summary: 'What the bank told that waits for a person',
      description: 'Events of all shards, by when they were received. A shard that is not reachable is named in a 503.',
      auth: 'inbox:read',
      query: schemas.inboxQuery,
      compress: true,
      answers: { 200: { description: 'A page of events', schema: schemas.inboxList } },
      async handler({ res, query }) {
        const read = async (shard: Shard, page: PlacedPage) => {
          const rows = await inboxInAttention(shard.db, shard.number, page);
          const events = rows.map((row) => parseEvent(row.event));
          const opened = await sealer.openAll(events.flatMap(payerOf));
          return rows.map((row, index) => ({
            place: { at: row.received_at, shard: shard.number, id: row.event_id },
            item: inboxView(row, events[index]!, shard.number, opened),
          }));
        };
        sendJson(res, 200, await pageOfAllShards(shards, query, read));
      },
    }),
    route({
      id: 'resolveInboxEvent',
      method: 'post',
      path: '/v1/ops/inbox/:eventId/resolve',
      tag: 'Ops',
      summary: 'Put an event of the bank away',
      description: 'Moves no money: it says, with a note, that a person has seen to what the event told.',
      auth: 'inbox:resolve',
      pathParameters: { eventId: { description: 'The bank’s id of the event', schema: z.string().min(1) } },
      body: schemas.inboxResolution,
      answers: { 204: { description: 'Put away' } },
      problems: ['not_found'],
      async handler({ req, res, body }) {
        const eventId = String(req.params['eventId']);
        if (eventId.includes('\u0000')) throw new Problem('not_found');
        const found = await onEveryShard(shards, async (shard) => {
          const noteSealed = await sealer.seal(houseOf(shard.number), fieldOf.note(eventId), body.note);
          return putAway(shard, { eventId, noteSealed }, await actingBy(req, sealer, shard.number));
        });
        if (!found.includes(true)) throw new Problem('not_found');
        sendNothing(res);
      },
    }),
  ];
}

function payerOf(event: KnownEvent): Sealed[] {
  return event.kind === 'credit' ? [{ text: event.credit.payerSealed, field: fieldOf.payer(event.id) }] : [];
}

function inboxView(row: InboxRow, event: KnownEvent, shard: number, opened: Opened): schemas.InboxItemView {
  const about = event.kind === 'fact' ? event.fact : event.credit;
  return {
    eventId: row.event_id,
    shard,
    kind: row.kind,
    subject: row.subject,
    state: event.kind === 'fact' ? event.fact.state : null,
    virtualAccount: event.kind === 'credit' ? event.credit.virtualAccount : null,
    payer: event.kind === 'credit' ? opened(event.credit.payerSealed) : null,
    amount: amountOf(about.amountMinor, about.currency),
    currency: about.currency ?? null,
    transactionId: row.transaction_id,
    reason: row.reason,
    receivedAt: row.received_at.toISOString(),
  };
}

function amountOf(amountMinor: bigint | undefined, currency: string | undefined): string | null {
  if (amountMinor === undefined) return null;
  return currency !== undefined && isCurrency(currency) ? formatAmount(amountMinor, currency) : amountMinor.toString();
}
