import { setTimeout as sleep } from 'node:timers/promises';
import { formatAmount } from '../../contracts/money';
import { askCarefully, verifiedBankAccount } from '../support/careful-client';
import type { HttpAnswer } from '../support/http';
import type { Person } from '../support/people';
import type { Stack } from '../support/stack';
import type { Operation } from './plan';

const MOST_AT_ONCE = 40;

/** What the customers ask for, each thing until it has an answer that says what is so. */
export class Customers {
  /** The transaction of each key that was accepted. */
  readonly accepted = new Map<string, string>();
  readonly answers: Record<string, number> = {};
  /** What must never be answered. */
  readonly wrongs: string[] = [];
  private readonly urls: string[];
  private readonly underWay = new Set<Promise<void>>();

  private constructor(
    private readonly stack: Stack,
    private readonly people: Person[],
    private readonly bankAccounts: string[],
    private readonly virtualAccounts: string[],
  ) {
    this.urls = stack.apis.map(({ url }) => url);
  }

  static async open(stack: Stack, people: Person[]): Promise<Customers> {
    const urls = stack.apis.map(({ url }) => url);
    const funding = async ({ token, wallet }: Person) =>
      (await askCarefully(urls, `/v1/wallets/${wallet}/funding-instructions`, { token })).body.virtualAccount as string;
    const bankAccounts = await Promise.all(people.map(({ token }) => verifiedBankAccount(urls, token)));
    return new Customers(stack, people, bankAccounts, await Promise.all(people.map(funding)));
  }

  /** In the order of the plan, each at its time, or later when too many are under way. */
  async perform(operations: Operation[], startedAt: number): Promise<void> {
    for (const operation of operations) {
      await sleep(Math.max(0, startedAt + operation.atMs - Date.now()));
      while (this.underWay.size >= MOST_AT_ONCE) await Promise.race(this.underWay);
      const done: Promise<void> = this.begin(operation)
        .catch((error: unknown) => void this.wrongs.push(`${operation.key}: ${String(error)}`))
        .finally(() => this.underWay.delete(done));
      this.underWay.add(done);
    }
    await Promise.all(this.underWay);
  }

  private async begin(operation: Operation): Promise<void> {
    if (operation.kind === 'credit') return this.payIn(operation);
    const request = this.requestOf(operation);
    if (!request) return;
    const { key, kind, cancelAfterMs } = operation;
    const { token } = this.people[operation.person]!;
    const headers = { 'idempotency-key': key };
    const answer = await this.ask(request.path, { method: 'POST', token, headers, body: request.body });
    this.note(operation, answer);
    const id = this.accepted.get(key);
    if (cancelAfterMs === undefined || id === undefined) return;
    await sleep(cancelAfterMs);
    const cancelled = await this.ask(`/v1/transactions/${id}/cancel`, { method: 'POST', token, body: {} });
    this.count(`${kind} cancel`, cancelled);
    if (![200, 202, 409].includes(cancelled.status)) this.wrong(operation, cancelled);
  }

  private requestOf(operation: Operation): { path: string; body: object } | undefined {
    const { kind, person, other, of } = operation;
    const amount = formatAmount(operation.amountMinor, 'SGD');
    const [own, theirs] = [this.people[person]!.wallet, this.people[other]!.wallet];
    if (kind === 'transfer') return { path: '/v1/transfers', body: { from: own, to: theirs, amount } };
    if (kind === 'refund') {
      const given = this.accepted.get(of!);
      return given === undefined ? undefined : { path: `/v1/transactions/${given}/refund`, body: {} };
    }
    const body = { wallet: own, amount, bankAccount: this.bankAccounts[person]! };
    return { path: kind === 'deposit' ? '/v1/deposits' : '/v1/withdrawals', body };
  }

  private note(operation: Operation, answer: HttpAnswer): void {
    const { status, body } = answer;
    this.count(operation.kind, answer);
    const transaction: unknown = status === 422 ? body.transaction?.id : body.id;
    if ([201, 202, 422].includes(status) && typeof transaction === 'string') {
      this.accepted.set(operation.key, transaction);
    } else if (!(operation.kind === 'refund' && [404, 422].includes(status))) {
      this.wrong(operation, answer);
    }
  }

  private async payIn({ person, amountMinor }: Operation): Promise<void> {
    const virtualAccount = this.virtualAccounts[person]!;
    const paid = { virtualAccount, amountMinor, currency: 'SGD', payer: 'A Friend' };
    // Whoever pays in doesn't repeat it: without an answer it may have been done, and what the bank has then counts.
    await this.stack.bankControl.credit(paid).catch(() => undefined);
  }

  private ask(path: string, request: Parameters<typeof askCarefully>[2]): Promise<HttpAnswer> {
    return askCarefully(this.urls, path, request);
  }

  private wrong({ key, kind }: Operation, { status, body }: HttpAnswer): void {
    this.wrongs.push(`${key}, ${kind}: ${status} ${JSON.stringify(body)}`);
  }

  private count(what: string, { status }: HttpAnswer): void {
    const line = `${what} ${status}`;
    this.answers[line] = (this.answers[line] ?? 0) + 1;
  }
}
