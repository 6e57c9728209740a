import { createHmac, timingSafeEqual } from 'node:crypto';

/** How a webhook proves that the bank sent it: `Bank-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`. */
export const SIGNATURE_HEADER = 'Bank-Signature';

/** What was recorded and is sent again later is refused. */
const MAX_AGE_SECONDS = 300;

export function sign(secret: string, rawBody: Buffer | string, now = Date.now()): string {
  const seconds = Math.floor(now / 1000);
  return `t=${seconds},v1=${hmac(secret, String(seconds), rawBody).toString('hex')}`;
}

/** Any of the secrets will do, so that they can be changed without losing a webhook. */
export function isSigned(
  header: string | undefined,
  rawBody: Buffer,
  secrets: readonly string[],
  now = Date.now(),
): boolean {
  const parts = (header ?? '').split(',').map((part) => part.trim());
  const seconds = /^t=(\d{1,12})$/.exec(parts[0] ?? '')?.[1];
  if (seconds === undefined || Math.abs(now / 1000 - Number(seconds)) > MAX_AGE_SECONDS) return false;
  const given = parts.flatMap((part) => /^v1=([0-9a-f]{64})$/.exec(part)?.[1] ?? []);
  return secrets.some((secret) => {
    const expected = hmac(secret, seconds, rawBody);
    return given.some((hex) => timingSafeEqual(expected, Buffer.from(hex, 'hex')));
  });
}

function hmac(secret: string, seconds: string, rawBody: Buffer | string): Buffer {
  return createHmac('sha256', secret).update(`${seconds}.`).update(rawBody).digest();
}
