import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TransactionView } from '../../contracts/schemas';
import { UserError } from '../user-error';
import { problemOf, type OpsClient, type Reply } from './client';

/** What became of one of many. */
export interface Result {
  id: string;
  /** The API took it; otherwise it refused, or never answered. */
  done: boolean;
  /** In a word: how it now stands, or the code of the refusal. */
  outcome: string;
  detail?: string;
}

const TRIES = 3;
const FIRST_PAUSE_MS = 500;

/** Asks for the same of each, so many at a time; one that goes wrong keeps no other from its turn. */
export async function actOnEach(
  ids: string[],
  act: (id: string) => Promise<Result>,
  { atOnce, onDone }: { atOnce: number; onDone: (done: number) => void },
): Promise<Result[]> {
  const results: Result[] = [];
  const left = ids.values();
  const worker = async () => {
    for (const id of left) {
      results.push(await act(id));
      onDone(results.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, ids.length) }, worker));
  return results;
}

/** One request, tried again under its key while the API is not able to answer. */
export async function ask(client: OpsClient, path: string, body: object): Promise<Reply | UserError> {
  const key = randomUUID();
  for (let tried = 1; ; tried++) {
    const reply = await client.post(path, body, key).catch(unanswered);
    const isPassing = reply instanceof UserError || reply.status >= 500;
    if (!isPassing || tried === TRIES) return reply;
    await sleep(FIRST_PAUSE_MS * tried);
  }
}

function unanswered(error: unknown): UserError {
  if (error instanceof UserError) return error;
  throw error;
}

export function resultOf(id: string, reply: Reply | UserError): Result {
  if (reply instanceof UserError) return { id, done: false, outcome: 'no_answer', detail: reply.message };
  if (reply.status >= 400) {
    const { code, title, detail, transaction } = problemOf(reply);
    return { id, done: false, outcome: transaction ? `${code}: ${transaction.status}` : code, detail: detail ?? title };
  }
  if (reply.headers.get('holdfast-decision') === 'proposed') {
    return { id, done: true, outcome: 'proposed', detail: 'another person has to say the same' };
  }
  return { id, done: true, outcome: reply.status === 204 ? 'put away' : (reply.body as TransactionView).status };
}
