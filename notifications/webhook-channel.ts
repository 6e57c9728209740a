import { createHmac } from 'node:crypto';
import { inSpan, traceHeaders } from '../tracing';
import type { Channel, Message } from './channels';
import { createOutgoing, NotAllowed, type OutgoingRules, type Resolve } from './outgoing';

const TIMEOUT_MS = 5_000;

export interface WebhookSettings {
  url: string;
  secret: string;
  rules: OutgoingRules;
}

/** A signed POST of JSON to an address of the operator's, for ops and for users alike. */
export function webhookChannel({ url, secret, rules }: WebhookSettings, resolve?: Resolve): Channel {
  const outgoing = createOutgoing(rules, resolve);
  return {
    name: 'webhook',
    reaches: ['ops', 'user'],
    atOnce: 32,
    send: (message) => inSpan('webhook', { isCall: true }, () => post(message)),
    close: () => outgoing.close(),
  };

  async function post(message: Message): Promise<void> {
    const body = JSON.stringify(payloadOf(message));
    const headers = {
      ...traceHeaders(),
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'idempotency-key': message.id,
      'holdfast-signature': sign(secret, new Date(), body),
    };
    const status = await outgoing.post(url, { headers, body, timeoutMs: TIMEOUT_MS }).catch((error: unknown) => {
      throw new Error(reasonOf(error));
    });
    if (status < 200 || status > 299) throw new Error(`the webhook's server answered ${status}`);
  }
}

function payloadOf({ id, kind, to, about, subject, text, happenedAt }: Message) {
  const { audience } = to;
  return {
    id,
    kind,
    audience,
    ...(to.audience === 'user' && { userId: to.userId }),
    ...(about && { transaction: { id: about.transactionId, ...about, transactionId: undefined } }),
    subject,
    text,
    happenedAt: happenedAt.toISOString(),
  };
}

/** `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`: proves who sent it, and when. */
export function sign(secret: string, at: Date, body: string): string {
  const seconds = Math.floor(at.getTime() / 1000);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof NotAllowed) return `the webhook's server was not asked: ${error.message}`;
  const { code, name } = error as { code?: string; name?: string };
  return `the webhook's server did not answer: ${code ?? name ?? String(error)}`;
}
