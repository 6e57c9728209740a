import fc from 'fast-check';
import { isFinal } from '../../contracts/statuses';
import type { Account, BooksEvent, Entry, Hold, NewTransaction, TransactionRecord } from '../../ledger/books';
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
class Model {
  readonly accounts = new Map<string, Account>();
  readonly transactions = new Map<string, TransactionRecord>();
  readonly steps = new Map<string, { transactionId: string; step: string; outcome: StepOutcome }>();
  readonly holds = new Map<string, Hold>();
  readonly entries: Entry[] = [];
  readonly events: BooksEvent[] = [];
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
    return outcomes;
  }

  /** Everything but the number of a block, which depends on how commands are put together. */
  state() {
    const transactions = [...this.transactions.values()].map((record) => ({ ...record, createdBlock: null }));
    const { accounts, steps, holds, entries, events } = this;
    return structuredClone({ accounts, transactions, steps, holds, entries, events });
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

const owner = 'workflow';
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
  fc.record({ kind: stay('release' as const), facts, step: stay('end'), holdStep, reason: stay('given back') }),
  fc.record({ kind: stay('tombstone' as const), transactionId: fc.constantFrom(...IDS), step }),
  fc.record({
    kind: fc.constantFrom('freeze' as const, 'unfreeze' as const, 'close' as const, 'reopen' as const),
    accountId: fc.constantFrom(...USERS),
    actorId: stay('us_0_a'),
  }),
);

/** Few different facts, so that commands meet each other's transactions often. */
const commands = fc.array(facts, { minLength: 1, maxLength: 3 }).chain((few) =>
  fc.array(
    fc.tuple(command, fc.nat(4)).map(([each, pick]) => {
      const chosen = few[pick];
      return chosen && 'facts' in each ? { ...each, facts: chosen } : each;
    }),
    { maxLength: 24 },
  ),
);

/** Runs any commands one after the other, with a look at the books after each. */
function always(look: (model: Model, command: Command, outcome: Outcome, before: Model['state']) => void): void {
  fc.assert(
    fc.property(commands, (all) => {
      const model = new Model();
      for (const each of all) {
        const before = model.state();
        const [outcome] = model.post([each]);
        look(model, each, outcome!, () => before);
      }
    }),
    { numRuns: 300 },
  );
}

describe('whatever is asked of the books', () => {
  test('money is neither made nor lost, in any currency, transaction or account', () => {
    always(({ accounts, entries }) => {
      const sums = new Map<string, bigint>();
      const add = (key: string, amount: bigint) => sums.set(key, (sums.get(key) ?? 0n) + amount);
      for (const { transactionId, accountId, currency, amountMinor, balanceAfter } of entries) {
        add(`${transactionId} ${currency}`, amountMinor);
        add(accountId, amountMinor);
        expect(sums.get(accountId)).toBe(balanceAfter);
      }
      for (const { id, balance, currency } of accounts.values()) {
        add(currency, balance);
        add(id, -balance);
      }
      expect([...sums].filter(([, sum]) => sum !== 0n)).toEqual([]);
    });
  });

  test('no user has less than nothing, or less than what is held', () => {
    always(({ accounts }) => {
      for (const { kind, balance, held } of accounts.values()) {
        expect(held).toBeGreaterThanOrEqual(0n);
        if (kind === 'user') expect(balance).toBeGreaterThanOrEqual(held);
      }
    });
  });

  test('what an account has held is what its holds say', () => {
    always(({ accounts, holds }) => {
      for (const { id, held } of accounts.values()) {
        const mine = [...holds.values()].filter((hold) => hold.accountId === id && hold.status === 'held');
        expect(held).toBe(mine.reduce((sum, hold) => sum + hold.amountMinor, 0n));
      }
    });
  });

  test('a closed wallet is empty', () => {
    always(({ accounts }) => {
      for (const { status, balance, held } of accounts.values()) {
        if (status === 'closed') expect([balance, held]).toEqual([0n, 0n]);
      }
    });
  });

  test('a transaction that has ended holds no money', () => {
    always(({ transactions, holds }) => {
      for (const { status, transactionId } of holds.values()) {
        if (status === 'held') expect(isFinal(transactions.get(transactionId)!.status)).toBe(false);
      }
    });
  });

  test('a completed transaction has two entries and any other has none', () => {
    always(({ transactions, entries }) => {
      for (const { id, status } of transactions.values()) {
        expect(entries.filter((entry) => entry.transactionId === id)).toHaveLength(status === 'completed' ? 2 : 0);
      }
    });
  });

  test('a transaction that is not ended has a workflow that owns it', () => {
    always(({ transactions }) => {
      for (const { status, owner: its } of transactions.values()) expect(its).toBe(isFinal(status) ? null : owner);
    });
  });

  test('asking again changes nothing, and answers the same as a replay', () => {
    always((model, asked, outcome) => {
      const before = model.state();
      const [again] = model.post([asked]);
      expect(model.state()).toEqual(before);
      const landed = asked.kind === 'hold' && outcome.kind === 'transaction' && !isFinal(outcome.status);
      if (landed) {
        expect(again).toEqual({ kind: 'step', transactionId: outcome.id, step: asked.step, outcome: 'done' });
      } else {
        expect(again).toEqual(outcome.kind === 'transaction' ? { ...outcome, replayed: true } : outcome);
      }
    });
  });

  test('another command under a known id is a conflict and changes nothing', () => {
    always((model, asked, outcome, before) => {
      if (!('facts' in asked)) return;
      const known = before().transactions.find((record) => record.id === asked.facts.id);
      expect(outcome.kind === 'conflict').toBe(known !== undefined && known.hash !== asked.facts.hash);
      if (outcome.kind === 'conflict') expect(model.state()).toEqual(before());
    });
  });

  test('a step once forbidden is never done, and one done is never forbidden', () => {
    always((model, _asked, _outcome, before) => {
      for (const [key, earlier] of before().steps) expect(model.steps.get(key)).toEqual(earlier);
      for (const [key, { outcome }] of model.steps)
        if (outcome === 'tombstone') expect(model.holds.has(key)).toBe(false);
    });
  });

  test('a final status never changes, nor does its reason', () => {
    always((model, _asked, _outcome, before) => {
      for (const record of before().transactions.filter(({ status }) => isFinal(status))) {
        expect({ ...model.transactions.get(record.id), createdBlock: null }).toEqual(record);
      }
    });
  });

  test('a refused command leaves no new transaction behind', () => {
    always((model, _asked, outcome) => {
      if (outcome.kind !== 'transaction') expect(model.opened).toEqual([]);
    });
  });

  test('a batch does what its commands do one by one', () => {
    fc.assert(
      fc.property(commands, fc.array(fc.integer({ min: 1, max: 8 })), (all, sizes) => {
        const [together, apart] = [new Model(), new Model()];
        const outcomes = all.flatMap((each) => apart.post([each]));
        const batches: Command[][] = [];
        const rest = [...all];
        for (const size of [...sizes, all.length]) batches.push(rest.splice(0, size));
        expect(batches.flatMap((batch) => together.post(batch))).toEqual(outcomes);
        expect(together.state()).toEqual(apart.state());
      }),
      { numRuns: 500 },
    );
  });
});
