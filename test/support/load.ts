import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { transactionId } from '../../ledger/identity';
import { ask, type HttpAnswer } from './http';
import type { Person } from './people';
import { until } from './stack';

/** A transfer somebody wants, under a key that stays the same however often it has to be asked for. */
export interface Wish {
  key: string;
  person: Person;
  to: Person;
  amountMinor: bigint;
  id: string;
}

export interface Told {
  wish: Wish;
  status: 'completed' | 'rejected';
}

export interface LoadOptions {
  people: Person[];
  /** The addresses of the APIs; each try goes to one of them. */
  urls: string[];
  clients: number;
  transfers: number;
  /** A client that hears nothing for so long tries again. */
  timeoutMs?: number;
  /** Every try goes to all the APIs at once. */
  toAll?: boolean;
  /** Every try has a request id of its own and a connection of its own, so that the API's log tells which it accepted. */
  name?: boolean;
}

const GIVE_UP_MS = 300_000;

/** Clients that ask for random transfers, each until it has a final answer, as a careful client would. */
export class Load {
  readonly told = new Map<string, Told>();
  /** How often each kind of answer was given, for people who read the report. */
  readonly answers: Record<string, number> = {};
  /** The ids of requests that were answered, whatever the answer. */
  readonly answered = new Set<string>();
  /** What must never happen. */
  readonly wrongs: string[] = [];
  private readonly wishes: Wish[];
  private tries = 0;

  constructor(private readonly options: LoadOptions) {
    this.wishes = Array.from({ length: options.transfers }, (_, index) => makeWish(options.people, `wish-${index}`));
  }

  async run(): Promise<void> {
    const next = this.wishes.values();
    const client = async () => {
      for (const wish of next) await this.grant(wish);
    };
    await Promise.all(Array.from({ length: this.options.clients }, client));
  }

  /** Resolves when so many have their final answer: faults come in mid-load, not at a time. */
  reached(count: number): Promise<void> {
    return until(`${count} transfers to be over`, () => this.told.size >= count, GIVE_UP_MS);
  }

  /** Resolves when an answer of this kind was given: the fault has come through to clients. */
  met(answer: string): Promise<void> {
    return until(`an answer ${answer}`, () => (this.answers[answer] ?? 0) > 0, GIVE_UP_MS);
  }

  private async grant(wish: Wish): Promise<void> {
    const { urls, toAll } = this.options;
    const from = randomInt(urls.length);
    const asked = toAll
      ? urls.map((url) => this.askUntilFinal(wish, [url], 0))
      : [this.askUntilFinal(wish, urls, from)];
    const statuses = new Set(await Promise.all(asked));
    if (statuses.size > 1) this.wrongs.push(`${wish.key} was told ${[...statuses].join(' and ')}`);
    for (const status of statuses) if (status) this.told.set(wish.key, { wish, status });
  }

  private async askUntilFinal(wish: Wish, urls: string[], first: number): Promise<Told['status'] | undefined> {
    const giveUpAt = Date.now() + GIVE_UP_MS;
    let pending = false;
    for (let attempt = first; Date.now() < giveUpAt; attempt += 1) {
      const url = urls[attempt % urls.length]!;
      const answer = await this.try(wish, url, pending);
      if (answer) {
        const { status, body } = answer;
        const transaction = status === 422 ? body.transaction : body;
        const state = transaction?.status as string | undefined;
        if (state === 'completed' || state === 'rejected') return state;
        if (status === 202 || (status === 200 && state !== 'cancelled')) {
          pending = true;
        } else if (status !== 503) {
          this.wrongs.push(`${wish.key}: ${status} ${JSON.stringify(body)}`);
          return undefined;
        }
      }
      await sleep(50 + randomInt(200));
    }
    this.wrongs.push(`${wish.key} had no final answer within ${GIVE_UP_MS} ms`);
    return undefined;
  }

  /** Undefined when there was no answer: what came of it is unknown, so it is asked again. */
  private async try(wish: Wish, url: string, pending: boolean): Promise<HttpAnswer | undefined> {
    const { timeoutMs, name: alone } = this.options;
    const { token } = wish.person;
    const requestId = `${wish.key}.${(this.tries += 1)}`;
    const { headers, body } = requestOf(wish);
    const common = { token, timeoutMs, alone, headers: { ...headers, 'x-request-id': requestId } };
    try {
      const answer = pending
        ? await ask(`${url}/v1/transactions/${wish.id}`, common)
        : await ask(`${url}/v1/transfers`, { method: 'POST', ...common, body });
      this.answered.add(requestId);
      this.count(answer.status === 503 ? `503 ${answer.body.code}` : `${pending ? 'poll ' : ''}${answer.status}`);
      return answer;
    } catch {
      this.count('no answer');
      return undefined;
    }
  }

  private count(what: string): void {
    this.answers[what] = (this.answers[what] ?? 0) + 1;
  }
}

export function makeWish(people: Person[], key: string): Wish {
  const from = randomInt(people.length);
  const to = (from + 1 + randomInt(people.length - 1)) % people.length;
  const person = people[from]!;
  const amountMinor = BigInt(1 + randomInt(500));
  return { key, person, to: people[to]!, amountMinor, id: transactionId(person.userId, key) };
}

export function requestOf({ key, person, to, amountMinor }: Wish) {
  const amount = `${amountMinor / 100n}.${(amountMinor % 100n).toString().padStart(2, '0')}`;
  return { headers: { 'idempotency-key': key }, body: { from: person.wallet, to: to.wallet, amount } };
}
