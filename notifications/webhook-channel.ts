import { createHmac } from 'node:crypto';
import type { Channel, Message } from './channels';

const TIMEOUT_MS = 5_000;

/** A signed POST of JSON to an address of the operator's, for ops and for users alike. */
export function webhookChannel({ url, secret }: { url: string; secret: string }): Channel {
  return {
    name: 'webhook',
    reaches: ['ops', 'user'],
    atOnce: 32,
    async send(message) {
      const body = JSON.stringify(payloadOf(message));
      const response = await fetch(url, {
        method: 'POST',
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          'content-type': 'application/json',
          'idempotency-key': message.id,
          'holdfast-signature': sign(secret, new Date(), body),
        },
      }).catch((error: unknown) => {
        throw new Error(`the webhook's server did not answer: ${causeOf(error)}`);
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`the webhook's server answered ${response.status}`);
    },
    close: () => undefined,
  };
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

/** fetch says only that it failed; why is in the cause. */
function causeOf(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string } };
  return cause?.code ?? name ?? String(error);
}
