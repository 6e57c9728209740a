import type { IncomingCredit, StatementLine } from '../rail';
import { createHttpRail } from '../http-rail';
import { toJson } from '../wire';
import type { Balance } from './account';
import type { FaultPlan, NewFault } from './faults';
import type { RequestView } from './views';

/** What tests, the soak and the demo do at the bank's own desk. */
export interface BankControl {
  /** Replaces all faults; none switches them off. */
  setFaults(faults: NewFault[], seed?: string): Promise<void>;
  faults(): Promise<FaultPlan>;
  /** Somebody pays into a virtual account. Answers the bank's number of the credit. */
  credit(credit: Omit<IncomingCredit, 'creditId'>): Promise<IncomingCredit>;
  /** Every request the bank has, in the order in which they came. */
  requests(): Promise<RequestView[]>;
  request(reference: string): Promise<RequestView | undefined>;
  balances(): Promise<Balance[]>;
  /** Every line of a day (UTC; today when left out), all pages of it. */
  statement(currency: string, day?: string): Promise<StatementLine[]>;
  /** How many events are not yet taken by the receiver. */
  eventsWaiting(): Promise<number>;
}

type Wire<T> = { [K in keyof T]: bigint extends T[K] ? Exclude<T[K], bigint> | string : T[K] };

export function createBankControl({ url, apiKey }: { url: string; apiKey: string }): BankControl {
  const rail = createHttpRail({ url, apiKey, webhookSecrets: [] });

  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(url + path, {
      method,
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: toJson(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  const bigintOrNull = (text: string | null) => (text === null ? null : BigInt(text));

  const control: BankControl = {
    async setFaults(faults, seed) {
      await call('PUT', '/faults', { faults, ...(seed !== undefined && { seed }) });
    },
    async faults() {
      const { seed, faults } = await call<FaultPlan>('GET', '/faults');
      return { seed, faults };
    },
    async credit(credit) {
      const made = await call<Wire<IncomingCredit>>('POST', '/v1/virtual-credits', credit);
      return { ...made, amountMinor: BigInt(made.amountMinor) };
    },
    async requests() {
      const all: RequestView[] = [];
      for (let cursor: string | undefined = '0'; cursor !== undefined;) {
        const page: { requests: Wire<RequestView>[]; nextCursor?: string } = await call(
          'GET',
          `/v1/requests?cursor=${cursor}&limit=1000`,
        );
        for (const each of page.requests) {
          const { amountMinor, settledMinor, ...rest } = each;
          all.push({ ...rest, amountMinor: bigintOrNull(amountMinor), settledMinor: bigintOrNull(settledMinor) });
        }
        cursor = page.nextCursor;
      }
      return all;
    },
    async request(reference) {
      return (await control.requests()).find((each) => each.reference === reference);
    },
    async balances() {
      const { balances } = await call<{ balances: Wire<Balance>[] }>('GET', '/v1/balances');
      return balances.map(({ currency, amountMinor, statementSumMinor }) => ({
        currency,
        amountMinor: BigInt(amountMinor),
        statementSumMinor: BigInt(statementSumMinor),
      }));
    },
    async statement(currency, day = new Date().toISOString().slice(0, 10)) {
      const lines: StatementLine[] = [];
      for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
        const page = await rail.statement({ day, currency, ...(cursor !== undefined && { cursor }) });
        lines.push(...page.lines);
        cursor = page.nextCursor;
      }
      return lines;
    },
    async eventsWaiting() {
      return (await call<{ eventsWaiting: number }>('GET', '/overview')).eventsWaiting;
    },
  };
  return control;
}
