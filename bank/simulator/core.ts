import { randomUUID } from 'node:crypto';
import type { BankFact, BankOrder, IncomingCredit } from '../rail';
import { move } from './account';
import { inTransaction, type Pool } from './database';
import { creditEvent, factEvent, type Outbox } from './events';
import type { Faults, RequestKind } from './faults';
import type { Loop } from './loop';
import { planFor } from './plan';
import * as requests from './requests';

export interface CoreParts {
  pool: Pool;
  faults: Faults;
  outbox: Outbox;
  settling: Loop;
  webhooks: Loop | undefined;
  settleAfterMs: number;
}

/** What became of a call that asked for a request. */
export type Submitted = { fact: BankFact } | { lost: true } | { otherContent: true };

/** What the bank does, whoever asks and however. */
export class Core {
  constructor(private readonly parts: CoreParts) {}

  /** Each reference once: who sends it again is told what became of it. */
  async submit(kind: RequestKind, order: BankOrder): Promise<Submitted> {
    const { pool, faults } = this.parts;
    // A fault is for a new request: one that is sent again must not use it up.
    const known = faults.areOn ? await requests.findRequest(pool, order.reference) : undefined;
    const fresh = known === undefined ? await this.insert(kind, order) : undefined;
    if (fresh?.state === 'travelling') return { lost: true };
    if (fresh !== undefined) return { fact: await this.afterAccepting(fresh) };

    const row = known ?? (await this.known(order.reference));
    if (!requests.isSameOrder(row, kind, order)) return { otherContent: true };
    if (row.state === 'voided') return { fact: { reference: row.reference, state: 'refused', reason: 'voided' } };
    // Sent again while the first is still on its way: this one is here, and the first will find it done.
    if (row.state === 'travelling') return { fact: await this.letIn(row) };
    return { fact: await this.afterAccepting(row) };
  }

  async lookUp(reference: string): Promise<BankFact> {
    const { pool } = this.parts;
    const row = await requests.findRequest(pool, reference);
    if (row === undefined) return { reference, state: 'unknown' };
    if (row.is_hidden) {
      await requests.countLook(pool, reference);
      return { reference, state: 'unknown' };
    }
    if (row.state === 'travelling') {
      await this.letIn(row);
      return { reference, state: 'unknown' };
    }
    return requests.factOf(row);
  }

  async void(reference: string): Promise<BankFact> {
    await requests.voidRequest(this.parts.pool, reference);
    return requests.factOf(await this.known(reference));
  }

  async credit(paid: Omit<IncomingCredit, 'creditId'>): Promise<IncomingCredit> {
    const { pool, outbox, webhooks } = this.parts;
    const credit = { creditId: `cr_${randomUUID()}`, ...paid };
    const line = { settlementId: credit.creditId, kind: 'credit' as const, amount: paid.amountMinor };
    await inTransaction(pool, async (client) => {
      await move(client, [{ ...line, currency: paid.currency }]);
      await outbox.add(client, [creditEvent(credit)]);
    });
    webhooks?.wake();
    return credit;
  }

  private async insert(kind: RequestKind, order: BankOrder): Promise<requests.RequestRow | undefined> {
    const { pool, faults, outbox, settleAfterMs, webhooks } = this.parts;
    const plan = planFor(kind, order, faults);
    if (plan.refused === undefined) return requests.insertRequest(pool, kind, order, plan, settleAfterMs);
    const refused = await inTransaction(pool, async (client) => {
      const row = await requests.insertRequest(client, kind, order, plan, settleAfterMs);
      if (row !== undefined) await outbox.add(client, [factEvent(requests.factOf(row), kind)]);
      return row;
    });
    webhooks?.wake();
    return refused;
  }

  private async letIn(row: requests.RequestRow): Promise<BankFact> {
    await requests.arrive(this.parts.pool, row.reference, this.parts.settleAfterMs);
    return this.afterAccepting(await this.known(row.reference));
  }

  /** Without a delay the money moves before the answer. */
  private async afterAccepting(row: requests.RequestRow): Promise<BankFact> {
    const { settling, settleAfterMs } = this.parts;
    if (row.state !== 'accepted' || row.plan.neverSettles) return requests.factOf(row);
    if (settleAfterMs > 0) {
      settling.wake();
      return requests.factOf(row);
    }
    await settling.caughtUp();
    return requests.factOf(await this.known(row.reference));
  }

  private async known(reference: string): Promise<requests.RequestRow> {
    const row = await requests.findRequest(this.parts.pool, reference);
    if (row === undefined) throw new Error('A request that was there is gone');
    return row;
  }
}
