import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Queryable } from './database';

export type RequestKind = 'collection' | 'payout';

/** What can be made to go wrong; docs/bank.md says the same at length. */
export const FAULTS = {
  outage: 'Answers 503, nothing done; with mode "destroy" breaks the connection off instead',
  slow: 'Waits delayMs (1000) before it does anything',
  answer_lost: 'Does what it was asked, then breaks the connection off',
  rejected: 'Refuses the request with a reason (liquidity)',
  never_settles: 'Accepts, and leaves it at that',
  amount_mismatch: 'Settles another amount: one minor unit less',
  double_settlement: 'Settles a second time, under another number',
  returned: 'Gives a payout back delayMs (1000) after it settled, with a reason (account_closed)',
  late_request: 'Breaks the connection off; the request arrives only after a look-up has said unknown',
  lookup_lags: 'Look-ups say unknown the first looks (1) times, or for delayMs',
  webhook_lost: 'Never tells of an event',
  webhook_duplicated: 'Tells an event twice in one webhook, and once more in a later one',
  webhook_out_of_order: 'Tells of an event delayMs (1000) late, after those that came after it',
  webhook_wrongly_signed: 'Signs a webhook with another secret',
} as const;

export type FaultName = keyof typeof FAULTS;

const faultSchema = z.strictObject({
  name: z.enum(Object.keys(FAULTS) as [FaultName, ...FaultName[]]),
  probability: z.number().min(0).max(1).default(1),
  /** Only the next so many; then it is over. */
  times: z.number().int().min(0).optional(),
  kind: z.enum(['collection', 'payout']).optional(),
  /** Only what concerns references that begin so. */
  reference: z.string().min(1).max(200).optional(),
  call: z.enum(['request', 'look_up', 'void']).optional(),
  delayMs: z.number().int().min(0).max(86_400_000).optional(),
  looks: z.number().int().min(0).max(1_000).optional(),
  reason: z.string().min(1).max(100).optional(),
  mode: z.enum(['answer', 'destroy']).optional(),
});

export const faultPlanSchema = z.strictObject({
  seed: z.string().max(200).default('holdfast'),
  faults: z.array(faultSchema).max(1_000),
});

export type Fault = z.infer<typeof faultSchema>;
/** As a person or test writes it: what has a default may be left out. */
export type NewFault = z.input<typeof faultSchema>;
export type FaultPlan = z.infer<typeof faultPlanSchema>;

export type Call = 'request' | 'look_up' | 'void';

/** What a decision is about. The key begins with the reference, if there is one; a statement has no kind. */
export interface Subject {
  key: string;
  kind?: RequestKind | undefined;
  call?: Call;
}

/** Enough to tell apart the calls of requests under way, without growing for ever. */
const MOST_TURNS = 100_000;

/**
 * Which faults are on, and whom they hit. A decision depends on seed, fault, subject and turn alone, so the same
 * requests meet the same faults however they are interleaved.
 */
export class Faults {
  private turns = new Map<string, number>();
  private saving: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly db: Queryable,
    private plan: FaultPlan,
    private readonly onError: (error: unknown) => void,
  ) {}

  static async load(db: Queryable, onError: (error: unknown) => void): Promise<Faults> {
    const { rows } = await db.query<{ value: unknown }>(`select value from settings where name = 'faults'`);
    return new Faults(db, faultPlanSchema.parse(rows[0]?.value ?? { faults: [] }), onError);
  }

  get current(): FaultPlan {
    return this.plan;
  }

  get areOn(): boolean {
    return this.plan.faults.length > 0;
  }

  async set(plan: FaultPlan): Promise<void> {
    this.plan = plan;
    this.turns = new Map();
    await this.save();
  }

  /** The fault that hits, if one does: always the same for the same subject. */
  hit(name: FaultName, subject: Subject): Fault | undefined {
    return this.decide(name, subject, () => 0);
  }

  /** The same for what happens more than once, such as a call that is tried again: each turn is decided by itself. */
  hitThisTime(name: FaultName, subject: Subject): Fault | undefined {
    return this.decide(name, subject, (entry) => this.nextTurn(`${entry} ${name} ${subject.key}`));
  }

  /** What it says is stored. */
  async settled(): Promise<void> {
    await this.saving;
  }

  private decide(name: FaultName, subject: Subject, turnOf: (entry: number) => number): Fault | undefined {
    for (const [entry, fault] of this.plan.faults.entries()) {
      if (fault.name !== name || fault.times === 0 || !isAbout(fault, subject)) continue;
      const chance = fraction(`${this.plan.seed}|${entry}|${name}|${subject.key}|${turnOf(entry)}`);
      if (chance >= fault.probability) continue;
      if (fault.times !== undefined) {
        fault.times -= 1;
        void this.save().catch(this.onError);
      }
      return fault;
    }
    return undefined;
  }

  private nextTurn(key: string): number {
    const turn = this.turns.get(key) ?? 0;
    this.turns.delete(key);
    this.turns.set(key, turn + 1);
    if (this.turns.size > MOST_TURNS) this.turns.delete(this.turns.keys().next().value!);
    return turn;
  }

  /** One after the other, so that the last one written is the last one said. */
  private save(): Promise<unknown> {
    const write = () =>
      this.db.query(
        `insert into settings values ('faults', $1) on conflict (name) do update set value = excluded.value`,
        [JSON.stringify(this.plan)],
      );
    const saved = this.saving.then(write);
    this.saving = saved.catch(() => {});
    return saved;
  }
}

function isAbout({ kind, reference, call }: Fault, subject: Subject): boolean {
  if (kind !== undefined && kind !== subject.kind) return false;
  if (call !== undefined && call !== subject.call) return false;
  return reference === undefined || subject.key.startsWith(reference);
}

function fraction(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6) / 2 ** 48;
}
