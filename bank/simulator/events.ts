import { randomUUID } from 'node:crypto';
import type { BankEvent, BankFact, IncomingCredit } from '../rail';
import { toJson } from '../wire';
import type { Queryable } from './database';
import type { Faults, RequestKind, Subject } from './faults';

export interface Told {
  subject: Subject;
  event: BankEvent;
}

export function factEvent(fact: BankFact, kind: RequestKind, second = false): Told {
  const key = `${fact.reference} ${fact.state}${second ? ' again' : ''}`;
  return { subject: { key, kind }, event: { ...stamp(), kind: 'fact', fact } };
}

export function creditEvent(credit: IncomingCredit): Told {
  return { subject: { key: credit.creditId }, event: { ...stamp(), kind: 'credit', credit } };
}

const stamp = () => ({ id: `ev_${randomUUID()}`, at: new Date().toISOString() });

/** Events go out from a table, written with what they tell of: whatever dies, they are told. */
export class Outbox {
  constructor(
    private readonly faults: Faults,
    /** Without a receiver nothing is kept for one. */
    private readonly hasReceiver: boolean,
  ) {}

  async add(db: Queryable, told: Told[]): Promise<void> {
    if (!this.hasReceiver) return;
    const rows = told.filter(({ subject }) => !this.faults.hit('webhook_lost', subject)).map((each) => this.row(each));
    if (rows.length === 0) return;
    await db.query(
      `insert into outbox (subject, event, due_at, deliveries, doubled)
       select subject, event, clock_timestamp() + delay_ms * interval '1 ms', deliveries, deliveries > 1
       from jsonb_to_recordset($1::jsonb) as t (subject text, event text, delay_ms integer, deliveries integer)`,
      [JSON.stringify(rows)],
    );
  }

  private row({ subject, event }: Told) {
    const held = this.faults.hit('webhook_out_of_order', subject);
    return {
      subject: subject.key,
      event: toJson(event),
      delay_ms: held ? (held.delayMs ?? 1_000) : 0,
      deliveries: this.faults.hit('webhook_duplicated', subject) ? 2 : 1,
    };
  }
}
