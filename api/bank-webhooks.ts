import { z } from 'zod';
import type { IncomingHttpHeaders } from 'node:http';
import * as schemas from '../contracts/schemas';
import { webhooks } from '../metrics/instruments';
import { handleInboxEvents, receive } from '../payments/inbox';
import { readRaw } from './body';
import type { ApiDeps } from './deps';
import { Problem } from './problems';
import { route, type Route } from './routes';
import { sendJson } from './send';

const BODY_LIMIT_BYTES = 1024 * 1024;

export function bankWebhookRoutes(deps: Pick<ApiDeps, 'shards' | 'sealer' | 'owners' | 'rail' | 'log'>): Route[] {
  for (const outcome of ['stored', 'known', 'refused']) webhooks.inc({ outcome }, 0);
  return [
    route({
      id: 'receiveBankWebhook',
      method: 'post',
      path: '/v1/bank/webhooks',
      tag: 'Payments',
      summary: 'What the bank tells by itself',
      description:
        'For the bank only: its signature is its access. 200 means that every event is stored; any other answer asks the ' +
        'bank to deliver again. An event delivered twice is stored once.',
      auth: 'public',
      rate: 'none',
      headers: { 'Bank-Signature': { description: 'As the bank signs its webhooks', schema: z.string() } },
      answers: { 200: { description: 'Stored', schema: schemas.webhookReceipt } },
      problems: ['bad_signature', 'body_too_large', 'malformed_json'],
      async handler({ req, res }) {
        const body = await readRaw(req, BODY_LIMIT_BYTES);
        const events = deps.rail.readWebhook(singleHeaders(req.headers), body);
        if (!events) {
          webhooks.inc({ outcome: 'refused' });
          throw new Problem('bad_signature');
        }
        const received = await receive(deps, events);
        const missed = received.find(({ error }) => error !== undefined);
        if (!missed) sendJson(res, 200, { received: events.length });
        await Promise.all(received.map(({ shard, fresh }) => act(deps, shard, fresh)));
        if (missed) throw missed.error;
      },
    }),
  ];
}

/** The bank has its answer; what fails here the sweep does later. */
async function act(
  deps: Pick<ApiDeps, 'shards' | 'sealer' | 'owners' | 'log'>,
  shard: number,
  fresh: Parameters<typeof handleInboxEvents>[2],
): Promise<void> {
  await handleInboxEvents(deps, shard, fresh).catch((err: unknown) => {
    deps.log.warn({ err, shard, events: fresh.length }, 'the bank’s news could not be passed on; the sweep will');
  });
}

function singleHeaders(headers: IncomingHttpHeaders): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : undefined]),
  );
}
