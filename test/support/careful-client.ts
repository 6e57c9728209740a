import { setTimeout as sleep } from 'node:timers/promises';
import { ask, type HttpAnswer, type HttpRequest } from './http';

const GIVE_UP_MS = 120_000;
const PAUSE_MS = 200;

/**
 * Asks until an answer says what is so: a connection that broke and a 503 say nothing, so the same is asked again, of
 * the next API.
 */
export async function askCarefully(urls: string[], path: string, request: HttpRequest = {}): Promise<HttpAnswer> {
  for (let attempt = 0, giveUpAt = Date.now() + GIVE_UP_MS; ; attempt += 1, await sleep(PAUSE_MS)) {
    const answer = await ask(urls[attempt % urls.length]! + path, request).catch(() => undefined);
    if (answer && answer.status !== 503) return answer;
    if (Date.now() > giveUpAt) throw new Error(`${path} was not answered; last: ${answer?.status}`);
  }
}

/** The id of a bank account of theirs that the bank has found to be good. */
export async function verifiedBankAccount(urls: string[], token: string): Promise<string> {
  const account = { holder: 'A Holder', number: '12345678', bankCode: 'TESTSGSG' };
  for (const giveUpAt = Date.now() + GIVE_UP_MS; ; await sleep(PAUSE_MS)) {
    const { status, body } = await askCarefully(urls, '/v1/bank-accounts', { method: 'POST', token, body: account });
    if (body.status === 'verified') return body.id as string;
    if (Date.now() > giveUpAt) throw new Error(`The bank account was not verified: ${status} ${JSON.stringify(body)}`);
  }
}
