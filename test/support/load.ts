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
  status: 'completed' | 'rejected' | 'cancelled';
}

export interface LoadOptions {
  wishes: Wish[];
  /** The addresses of the APIs; each try goes to one of them. */
  urls: string[];
  clients: number;
  /** A client that hears nothing for so long tries again. */
  timeoutMs?: number;
  /** Every try goes to all the APIs at once. */
  toAll?: boolean;
  /** Every try has a request id of its own and a connection of its own, so that the API's log tells which it accepted. */
  name?: boolean;
}

const GIVE_UP_MS = 120_000;

/** Clients that ask for transfers, each until it has a final answer, as a careful client would. */
export class Load {
  readonly told = new Map<string, Told>();
  /** How often each kind of answer was given, for people who read the report. */
  readonly answers: Record<string, number> = {};
  /** The ids of requests that were answered, whatever the answer. */
  readonly answered = new Set<string>();
  /** What must never happen. */
  readonly wrongs: string[] = [];
  private readonly followed: Promise<void>[] = [];
  private tries = 0;

  constructor(private readonly options: LoadOptions) {}

  async run(): Promise<void> {
    const next = this.options.wishes.values();
    const client = async () => {
      for (const wish of next) await this.grant(wish);
    };
    await Promise.all(Array.from({ length: this.options.clients }, client));
    await Promise.all(this.followed);
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
    const asked = toAll ? urls.map((url) => this.send(wish, [url])) : [this.send(wish, urls)];
    const answers = await Promise.all(asked);
    if (!answers.includes('pending')) return this.note(wish, answers);
    // The client goes on with its next wish, and looks after this one meanwhile.
    this.followed.push(Promise.all(urls.map((url) => this.poll(wish, url))).then((polled) => this.note(wish, polled)));
  }

  private note(wish: Wish, statuses: (Told['status'] | 'pending' | undefined)[]): void {
    const [status, ...others] = new Set(statuses);
    if (others.length > 0) this.wrongs.push(`${wish.key} was told ${[status, ...others].join(' and ')}`);
    if (status === 'completed' || status === 'rejected') this.told.set(wish.key, { wish, status });
  }

  /** Until it is final or pending. */
  private async send(wish: Wish, urls: string[]): Promise<Told['status'] | 'pending' | undefined> {
    const giveUpAt = Date.now() + GIVE_UP_MS;
    for (let attempt = randomInt(urls.length); Date.now() < giveUpAt; attempt += 1) {
      const answer = await this.try(wish, 'POST', `${urls[attempt % urls.length]!}/v1/transfers`);
      const found = answer && (finalStatusOf(answer) ?? (answer.status === 202 ? 'pending' : undefined));
      if (found) return found;
      if (answer && answer.status !== 503) return this.wrong(wish, answer);
      await sleep(50 + randomInt(200));
    }
    this.wrongs.push(`${wish.key} was not accepted within ${GIVE_UP_MS} ms`);
    return undefined;
  }

  private async poll(wish: Wish, url: string): Promise<Told['status'] | undefined> {
    for (const giveUpAt = Date.now() + GIVE_UP_MS; Date.now() < giveUpAt; await sleep(250 + randomInt(500))) {
      const answer = await this.try(wish, 'GET', `${url}/v1/transactions/${wish.id}`);
      const found = answer && finalStatusOf(answer);
      if (found) return found;
      if (answer && answer.status !== 503 && (answer.status !== 200 || answer.body.status === 'cancelled')) {
        return this.wrong(wish, answer);
      }
    }
    this.wrongs.push(`${wish.key} was not over within ${GIVE_UP_MS} ms`);
    return undefined;
  }

  private wrong(wish: Wish, { status, body }: HttpAnswer): undefined {
    this.wrongs.push(`${wish.key}: ${status} ${JSON.stringify(body)}`);
  }

  /** Undefined when there was no answer: what came of it is unknown, so it is asked again. */
  private async try(wish: Wish, method: 'POST' | 'GET', url: string): Promise<HttpAnswer | undefined> {
    const { timeoutMs, name: alone } = this.options;
    const { token } = wish.person;
    const requestId = `${wish.key}.${(this.tries += 1)}`;
    const { headers, body } = requestOf(wish);
    const common = { method, token, timeoutMs, alone, headers: { ...headers, 'x-request-id': requestId } };
    try {
      const answer = await ask(url, method === 'POST' ? { ...common, body } : common);
      this.answered.add(requestId);
      this.count(
        answer.status === 503 ? `503 ${answer.body.code}` : `${method === 'GET' ? 'poll ' : ''}${answer.status}`,
      );
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

function finalStatusOf({ status, body }: HttpAnswer): Told['status'] | undefined {
  const state: unknown = (status === 422 ? body.transaction : body)?.status;
  return state === 'completed' || state === 'rejected' ? state : undefined;
}

/** Random ones, from some people to some. */
export function makeWishes(people: Person[], count: number, to = people, name = 'wish'): Wish[] {
  return Array.from({ length: count }, (_, index) => makeWish(people, `${name}-${index}`, to));
}

export function makeWish(people: Person[], key: string, recipients = people): Wish {
  const person = people[randomInt(people.length)]!;
  const others = recipients.filter((each) => each !== person);
  const to = others[randomInt(others.length)]!;
  const amountMinor = BigInt(1 + randomInt(500));
  return { key, person, to, amountMinor, id: transactionId(person.userId, key) };
}

export function requestOf({ key, person, to, amountMinor }: Wish) {
  const amount = `${amountMinor / 100n}.${(amountMinor % 100n).toString().padStart(2, '0')}`;
  return { headers: { 'idempotency-key': key }, body: { from: person.wallet, to: to.wallet, amount } };
}
