import type { z } from 'zod';
import { errorOfAnswer, errorOfFailure, errorOfStatus } from './errors';
import type { BankEvent, BankFact, Rail } from './rail';
import { isSigned, SIGNATURE_HEADER } from './signature';
import { accountCheckSchema, deliverySchema, errorSchema, factSchema, statementPageSchema, toJson } from './wire';

export interface HttpRailSettings {
  url: string;
  apiKey: string;
  /** Each may have signed a webhook. */
  webhookSecrets: readonly string[];
  /** How long one call may take. */
  deadlineMs?: number;
  /** What each call says of itself besides, such as the trace that it is part of. */
  headers?: () => Record<string, string>;
}

/** A bank that speaks the protocol of docs/bank.md over HTTP. */
export function createHttpRail(settings: HttpRailSettings): Rail {
  const { url, apiKey, webhookSecrets, deadlineMs = 5_000, headers } = settings;
  const base = url.replace(/\/+$/, '');

  async function call<T>(method: 'GET' | 'POST', path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    const { status, text } = await exchange(method, path, body);
    if (status !== 200) throw refusal(status, text);
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch (error) {
      throw errorOfAnswer('not JSON', error);
    }
    const parsed = schema.safeParse(answer);
    if (!parsed.success) throw errorOfAnswer(parsed.error.issues[0]!.path.join('.') || 'no such shape');
    return parsed.data;
  }

  async function exchange(method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
    try {
      const answer = await fetch(base + path, {
        method,
        headers: {
          ...headers?.(),
          authorization: `Bearer ${apiKey}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : toJson(body),
        // A bank that sends us elsewhere could take our key along.
        redirect: 'manual',
        signal: AbortSignal.timeout(deadlineMs),
      });
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      throw errorOfFailure(error, deadlineMs);
    }
  }

  /** An answer about another reference is an answer to another question. */
  async function fact(method: 'GET' | 'POST', path: string, reference: string, body?: unknown): Promise<BankFact> {
    const answer = await call(method, path, factSchema, body);
    if (answer.reference !== reference) throw errorOfAnswer('another reference');
    return answer;
  }

  const requestPath = (reference: string) => `/v1/requests/${encodeURIComponent(reference)}`;

  return {
    collect: (order) => fact('POST', '/v1/collections', order.reference, order),
    payOut: (order) => fact('POST', '/v1/payouts', order.reference, order),
    lookUp: (reference) => fact('GET', requestPath(reference), reference),
    void: (reference) => fact('POST', `${requestPath(reference)}/void`, reference),
    checkAccount: (account) => call('POST', '/v1/account-checks', accountCheckSchema, account),
    statement: ({ day, currency, cursor }) => {
      const query = new URLSearchParams({ day, currency, ...(cursor !== undefined && { cursor }) });
      return call('GET', `/v1/statement?${query.toString()}`, statementPageSchema);
    },
    readWebhook: (headers, rawBody) => readWebhook(headers, rawBody, webhookSecrets),
  };
}

function refusal(status: number, text: string) {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // A gateway's page, not the bank's words.
  }
  const parsed = errorSchema.safeParse(body);
  if (!parsed.success) return errorOfStatus(status, undefined, 'without saying why');
  return errorOfStatus(status, parsed.data.error.code, parsed.data.error.message);
}

function readWebhook(
  headers: Record<string, string | undefined>,
  rawBody: Buffer,
  secrets: readonly string[],
): BankEvent[] | undefined {
  const name = Object.keys(headers).find((each) => each.toLowerCase() === SIGNATURE_HEADER.toLowerCase());
  if (name === undefined || !isSigned(headers[name], rawBody, secrets)) return undefined;
  try {
    return deliverySchema.parse(JSON.parse(rawBody.toString('utf8'))).events;
  } catch {
    return undefined;
  }
}
