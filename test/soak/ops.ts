import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { askCarefully } from '../support/careful-client';
import type { Stack } from '../support/stack';

const EVERY_MS = 1_000;

interface Item {
  transaction: { id: string; status: string; reason: string | null };
}

/** Two people who look through ops' list and do what it needs, over the API. */
export class Ops {
  readonly done: Record<string, number> = {};
  private isOver = false;

  constructor(
    private readonly stack: Stack,
    private readonly tokens: [string, string],
  ) {}

  async work(): Promise<void> {
    while (!this.isOver) {
      await this.once();
      await sleep(EVERY_MS);
    }
  }

  goHome(): void {
    this.isOver = true;
  }

  private async once(): Promise<void> {
    const { status, body } = await this.ask('/v1/ops/attention?limit=100', 'GET', this.tokens[0]);
    if (status !== 200) throw new Error(`Ops can't read its list: ${status} ${JSON.stringify(body)}`);
    await Promise.all((body.data as Item[]).map((item) => this.attend(item)));
  }

  private attend({ transaction: { id, status, reason } }: Item): Promise<void> {
    const heads = createHash('sha256').update(id).digest()[0]! % 2 === 0;
    if (status === 'awaiting_approval') return this.decide(id, heads ? 'approve' : 'reject', reason);
    if (reason === 'amount_mismatch') return this.resolve(id, heads ? 'completed' : 'cancelled');
    // What was not settled in time may settle yet: only the bank's own void makes sure that it doesn't.
    return this.decide(id, reason === 'not_settled' ? 'cancel' : 'retry', reason);
  }

  private async resolve(id: string, outcome: string): Promise<void> {
    for (const token of this.tokens) {
      await this.ask(`/v1/transactions/${id}/resolve`, 'POST', token, { outcome, note: 'asked the bank' });
    }
    this.count(`resolve as ${outcome}`);
  }

  private async decide(id: string, what: string, reason: string | null): Promise<void> {
    await this.ask(`/v1/transactions/${id}/${what}`, 'POST', this.tokens[0], {});
    this.count(reason ? `${what} ${reason}` : what);
  }

  private ask(path: string, method: 'GET' | 'POST', token: string, body?: object) {
    const urls = this.stack.apis.map(({ url }) => url);
    return askCarefully(urls, path, { method, token, ...(body && { body }) });
  }

  private count(what: string): void {
    this.done[what] = (this.done[what] ?? 0) + 1;
  }
}
