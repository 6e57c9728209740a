import fc from 'fast-check';
import type {
  Account,
  BooksEvent,
  DecisionRecord,
  Entry,
  Hold,
  NewTransaction,
  TransactionRecord,
} from '../../ledger/books';
import type { Command, Outcome, StepOutcome, TransactionFacts } from '../../ledger/commands';
import { decide } from '../../ledger/decide';

const AT = new Date('2026-01-01T00:00:00Z');
const BANK = { SGD: 'ac_0_@bank.SGD', JPY: 'ac_0_@bank.JPY' };
const USERS = ['ac_0_a.SGD', 'ac_0_b.SGD', 'ac_0_c.SGD', 'ac_0_a.JPY', 'ac_0_b.JPY'];
const ACCOUNTS = [...USERS, ...Object.values(BANK)];
const IDS = ['tx_0_1', 'tx_0_2', 'tx_0_3', 'tx_0_4', 'tx_0_5'];
const STEPS = ['hold', 'end', 'other'];
const currencyOf = (account: string) => account.slice(-3);

/** The books as maps: carries what each decision writes, as the poster would, to the next. */
export class Model {
  readonly accounts = new Map<string, Account>();
  readonly transactions = new Map<string, TransactionRecord>();
  readonly steps = new Map<string, { transactionId: string; step: string; outcome: StepOutcome }>();
  readonly holds = new Map<string, Hold>();
  readonly entries: Entry[] = [];
  readonly events: BooksEvent[] = [];
  readonly decisions: DecisionRecord[] = [];
  opened: NewTransaction[] = [];
  private block = 0n;

  constructor() {
    for (const id of ACCOUNTS) {
      const kind = id.includes('@') ? ('system' as const) : ('user' as const);
      const zero = { balance: 0n, held: 0n, version: 0n };
      this.accounts.set(id, { id, kind, currency: currencyOf(id), status: 'open', ...zero });
    }
    USERS.forEach((to, index) => {
      const currency = currencyOf(to) as 'SGD' | 'JPY';
      const id = `tx_0_opening_${index}`;
      const facts = { id, actorId: 'us_0_a', hash: 'h', from: BANK[currency], to, amountMinor: 10n, currency };
      this.post([{ kind: 'transfer', facts: { ...facts, type: 'opening' } }]);
    });
  }

  post(commands: Command[]): Outcome[] {
    const books = {
      accounts: this.accounts.values(),
      transactions: this.transactions.values(),
      steps: this.steps.values(),
      holds: this.holds.values(),
      decisions: this.decisions,
    };
    const { outcomes, draft } = decide(books, commands, AT, this.block + 1n);
    this.opened = [...draft.newTransactions.values()];
    // As the poster does, which writes nothing at all then.
    if (draft.isEmpty) return outcomes;
    this.block += 1n;
    for (const account of draft.changedAccounts.values()) this.accounts.set(account.id, { ...account });
    for (const { record } of this.opened) this.transactions.set(record.id, { ...record });
    for (const record of draft.changedTransactions.values()) this.transactions.set(record.id, { ...record });
    for (const [key, hold] of [...draft.newHolds, ...draft.changedHolds]) this.holds.set(key, { ...hold });
    for (const step of draft.newSteps) {
      const key = `${step.transactionId}:${step.step}`;
      expect(this.steps.has(key)).toBe(false);
      this.steps.set(key, step);
    }
    this.entries.push(...draft.entries);
    this.events.push(...draft.events);
    this.decisions.push(...draft.newDecisions);
    for (const record of draft.changedRefunds.values()) this.transactions.set(record.id, { ...record });
    return outcomes;
  }

  /** Everything but the number of a block, which depends on how commands are put together. */
  state() {
    const transactions = [...this.transactions.values()].map((record) => ({ ...record, createdBlock: null }));
    const { accounts, steps, holds, entries, events, decisions } = this;
    return structuredClone({ accounts, transactions, steps, holds, entries, events, decisions });
  }
}

/** The same id and hash always come with the same facts: that is what the hash is for. */
const facts: fc.Arbitrary<TransactionFacts> = fc
  .record({ id: fc.constantFrom(...IDS), variant: fc.constantFrom('h', 'h', 'h', 'g') })
  .chain(({ id, variant }) => {
    const seed = IDS.indexOf(id) + (variant === 'g' ? 2 : 0);
    const from = ACCOUNTS[(seed * 3) % ACCOUNTS.length]!;
    const tos = [
      ...ACCOUNTS.filter((to) => to !== from && currencyOf(to) === currencyOf(from)),
      undefined,
      'ac_1_elsewhere.SGD',
      from,
    ];
    const amounts = [1n, 4n, 10n, 11n];
    return fc.record({ to: fc.constantFrom(...tos), amountMinor: fc.constantFrom(...amounts) }).map((rest) => {
      const hash = `${variant} ${rest.to} ${rest.amountMinor}`;
      return { id, type: 'transfer' as const, actorId: 'us_0_a', hash, from, currency: currencyOf(from), ...rest };
    });
  });

export const owner = 'workflow';
const step = fc.constantFrom(...STEPS);
const holdStep = fc.constantFrom('hold', 'hold', 'other');
const stay = <T>(value: T) => fc.constant(value);
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: stay('transfer' as const), facts }),
  fc.record({ kind: stay('pend' as const), facts, owner: stay(owner) }),
  fc.record({ kind: stay('cancel' as const), facts, reason: stay('asked') }),
  fc.record({
    kind: stay('attention' as const),
    facts,
    owner: stay(owner),
    reason: fc.constantFrom('stuck', 'lost'),
    lastError: stay('oh'),
  }),
  { weight: 3, arbitrary: fc.record({ kind: stay('hold' as const), facts, step: holdStep, owner: stay(owner) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: stay('capture' as const),
      facts,
      step: stay('end'),
      holdStep,
      to: fc.constantFrom(...ACCOUNTS),
    }),
  },
  fc.record({
    kind: stay('release' as const),
    facts,
    step: stay('end'),
    holdStep,
    status: fc.constantFrom('cancelled' as const, 'rejected' as const),
    reason: stay('given back'),
  }),
  fc.record({ kind: stay('tombstone' as const), transactionId: fc.constantFrom(...IDS), step }),
  fc.record({
    kind: fc.constantFrom('freeze' as const, 'unfreeze' as const, 'close' as const, 'reopen' as const),
    accountId: fc.constantFrom(...USERS),
    actorId: stay('us_0_a'),
  }),
);

/** Few different facts, so that commands meet each other's transactions often. */
export const commands = fc.array(facts, { minLength: 1, maxLength: 3 }).chain((few) =>
  fc.array(
    fc.tuple(command, fc.nat(4)).map(([each, pick]) => {
      const chosen = few[pick];
      return chosen && 'facts' in each ? { ...each, facts: chosen } : each;
    }),
    { maxLength: 24 },
  ),
);

const fixed = (id: string, from: string, to: string, amountMinor: bigint): TransactionFacts => {
  return { id, type: 'transfer', actorId: 'us_0_a', hash: id, from, to, amountMinor, currency: currencyOf(from) };
};
const [A, B] = ['ac_0_a.SGD', 'ac_0_b.SGD'] as const;
const paid = fixed('tx_0_2', B, A, 4n);
const heldBy = (name: string): Command => ({ kind: 'hold', facts: paid, step: name, owner });

/** What chance meets too seldom. */
export const examples: Record<string, Command[]> = {
  'a hold captured into a closed wallet': [
    { kind: 'transfer', facts: fixed('tx_0_1', A, BANK.SGD, 10n) },
    { kind: 'close', accountId: A, actorId: 'us_0_a' },
    heldBy('hold'),
    { kind: 'capture', facts: paid, step: 'end', holdStep: 'hold', to: A },
  ],
  'two holds, and one of them captured': [
    heldBy('hold'),
    heldBy('other'),
    { kind: 'capture', facts: paid, step: 'end', holdStep: 'hold', to: A },
  ],
  'a hold that fits, and one that does not': [heldBy('hold'), heldBy('other'), heldBy('third')],
  'a forbidden hold': [{ kind: 'tombstone', transactionId: paid.id, step: 'hold' }, heldBy('hold')],
};
