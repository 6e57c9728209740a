import fc from 'fast-check';
import type { DefaultLimits } from '../../contracts/limits';
import type { TransactionType } from '../../contracts/statuses';
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
import type { Usage } from '../../ledger/limits';

export const BANK = { SGD: 'ac_0_@bank.SGD', JPY: 'ac_0_@bank.JPY' };
export const SUSPENSE = { SGD: 'ac_0_@suspense.SGD', JPY: 'ac_0_@suspense.JPY' };
const USERS = ['ac_0_a.SGD', 'ac_0_b.SGD', 'ac_0_c.SGD', 'ac_0_a.JPY', 'ac_0_b.JPY'];
export const CLEARING = { SGD: 'ac_0_@clearing.SGD', JPY: 'ac_0_@clearing.JPY' };
const HOUSE = [BANK, SUSPENSE, CLEARING].flatMap((each) => Object.values(each));
const ACCOUNTS = [...USERS, ...HOUSE];
/** A wallet on another shard. */
export const ELSEWHERE = 'ac_1_elsewhere.SGD';
const [A, B] = ['ac_0_a.SGD', 'ac_0_b.SGD'] as const;
const IDS = ['tx_0_1', 'tx_0_2', 'tx_0_3', 'tx_0_4', 'tx_0_5'];
const IDS_ELSEWHERE = ['tx_1_1', 'tx_1_2'];
const STEPS = ['hold', 'end', 'other', 'release'];
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
  at = new Date('2026-01-01T00:00:00Z');
  /** What was first written down by this command, and so has somebody who sees to it. */
  readonly openedBy = new Map<string, Command['kind']>();
  /** Refunds that were given, or are on their way to another shard. */
  private readonly refunds = new Map<string, string>();
  private block = 0n;

  constructor(private readonly defaultLimits: DefaultLimits = new Map()) {
    for (const id of ACCOUNTS) {
      const kind = id.includes('@') ? ('system' as const) : ('user' as const);
      const zero = { balance: 0n, held: 0n, version: 0n, limits: null, used: null };
      this.accounts.set(id, { id, kind, currency: currencyOf(id), status: 'open', ownerFrozen: false, ...zero });
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
      defaultLimits: this.defaultLimits,
    };
    const { outcomes, draft } = decide(books, commands, this.at, this.block + 1n);
    this.opened = [...draft.newTransactions.values()];
    // As the poster does, which writes nothing at all then.
    if (draft.isEmpty) return outcomes;
    this.block += 1n;
    for (const each of commands) {
      if (!('facts' in each) || this.openedBy.has(each.facts.id)) continue;
      if (draft.transaction(each.facts.id)?.owner) this.openedBy.set(each.facts.id, each.kind);
    }
    for (const { facts } of this.opened) if (facts.type === 'refund') this.refunds.set(facts.id, facts.linkedTo!);
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

  readonly refundsOf = (id: string): TransactionRecord[] =>
    [...this.transactions.values()].filter((each) => this.refunds.get(each.id) === id && this.isGiven(each));

  private isGiven({ id, status }: TransactionRecord): boolean {
    return status === 'completed' || this.holds.get(`${id}:try`)?.status === 'held';
  }

  /** Everything but the number of a block, which depends on how commands are put together. */
  state() {
    const transactions = [...this.transactions.values()].map((record) => ({ ...record, createdBlock: null }));
    const { steps, entries, events, decisions } = this;
    const holds = new Map([...this.holds].map(([key, hold]) => [key, { ...hold, block: null }]));
    const accounts = new Map(
      [...this.accounts].map(([id, account]) => [id, { ...account, used: withoutBlocks(account) }]),
    );
    return structuredClone({ accounts, transactions, steps, holds, entries, events, decisions });
  }
}

function withoutBlocks({ used }: Account): Usage | null {
  return used && Object.fromEntries(Object.entries(used).map(([kind, counted]) => [kind, { ...counted, since: 0n }]));
}

type Currency = keyof typeof BANK;

/** From and to of each type; a few that make no sense are among them. */
function sidesOf(type: TransactionType, currency: Currency): fc.Arbitrary<{ from: string; to?: string }> {
  const mine = ACCOUNTS.filter((id) => currencyOf(id) === currency);
  const user = fc.constantFrom(...mine.filter((id) => !id.includes('@')));
  const [bank, suspense] = [fc.constant(BANK[currency]), fc.constant(SUSPENSE[currency])];
  const anywhere = fc.constantFrom(...mine, undefined, ELSEWHERE, currency === 'SGD' ? 'ac_0_a.JPY' : A);
  switch (type) {
    case 'deposit':
    case 'reversal':
      return fc.record({ from: bank, to: fc.oneof({ weight: 3, arbitrary: user }, anywhere) });
    case 'withdrawal':
      return fc.record({ from: user, to: bank });
    case 'adjustment':
      return fc.oneof(fc.record({ from: user, to: suspense }), fc.record({ from: suspense, to: user }));
    default:
      return fc.record({ from: fc.constantFrom(...mine), to: anywhere });
  }
}

const TYPES = ['transfer', 'transfer', 'deposit', 'withdrawal', 'reversal', 'adjustment'] as const;

/** The same id and hash always come with the same facts: that is what the hash is for. */
const facts: fc.Arbitrary<TransactionFacts> = fc
  .record({
    type: fc.constantFrom(...TYPES),
    currency: fc.constantFrom('SGD' as const, 'SGD' as const, 'JPY' as const),
    variant: fc.constantFrom('h', 'h', 'h', 'g'),
  })
  .chain(({ type, currency, variant }) => {
    const rest = fc.record({
      id: fc.constantFrom(...IDS),
      sides: sidesOf(type, currency),
      amountMinor: fc.constantFrom(1n, 4n, 10n, 11n),
    });
    return rest.map(({ id, sides, amountMinor }) => {
      const hash = [variant, type, sides.from, sides.to, amountMinor].join(' ');
      return { id, type, actorId: 'us_0_a', hash, amountMinor, currency, ...sides };
    });
  });

/** What another shard has held and asks this one to credit. */
const incoming: fc.Arbitrary<TransactionFacts> = fc
  .record({
    id: fc.constantFrom(...IDS_ELSEWHERE),
    to: fc.constantFrom(...USERS),
    amountMinor: fc.constantFrom(1n, 4n, 10n),
  })
  .map(({ id, to, amountMinor }) => {
    const hash = `${to} ${amountMinor}`;
    return { id, type: 'transfer', actorId: 'us_1_a', hash, amountMinor, currency: 'SGD', from: ELSEWHERE, to };
  });

/** What another shard has credited, and this one may have lost. */
const outgoing: fc.Arbitrary<TransactionFacts> = fc
  .record({ id: fc.constantFrom(...IDS), from: fc.constantFrom(A, B), amountMinor: fc.constantFrom(1n, 4n, 11n) })
  .map(({ id, from, amountMinor }) => {
    const hash = ['h', 'transfer', from, ELSEWHERE, amountMinor].join(' ');
    return { id, type: 'transfer', actorId: 'us_0_a', hash, amountMinor, currency: 'SGD', from, to: ELSEWHERE };
  });

/** Two refunds that may fit together, and one that may not. */
function refundsOf(original: TransactionFacts): TransactionFacts[] {
  const { id, from, to, amountMinor, currency } = original;
  if (to === undefined || !ACCOUNTS.includes(to) || currencyOf(to) !== currency) return [];
  return [amountMinor, (amountMinor + 1n) / 2n, 1n].map((amount, n) => ({
    id: `${id}_refund_${n}`,
    type: 'refund',
    actorId: 'us_0_b',
    hash: `${original.hash} ${n}`,
    from: to,
    to: from,
    amountMinor: amount,
    currency,
    linkedTo: id,
  }));
}

export const owner = 'workflow';
const step = fc.constantFrom(...STEPS);
const holdStep = fc.constantFrom('hold', 'hold', 'other');
const heldStep = fc.constantFrom('hold', 'hold', 'other', 'try', 'try');
const stay = <T>(value: T) => fc.constant(value);
const status = fc.constantFrom(undefined, 'pending' as const, 'awaiting_approval' as const);
/** What the bank moved: mostly what was asked for. */
const movedMinor = fc.constantFrom(undefined, undefined, 0n, 3n, 4n, 10n, 12n);
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: stay('transfer' as const), facts, owner: stay(owner) }),
  { weight: 2, arbitrary: fc.record({ kind: stay('receive' as const), facts: incoming }) },
  fc
    .oneof(
      fc.record({ facts: incoming, half: stay('credit' as const) }),
      fc.record({ facts: outgoing, half: stay('debit' as const) }),
    )
    .map((lost) => ({ kind: 'repost' as const, actorId: 'holdfast', ...lost })),
  fc.record({
    kind: stay('tombstone' as const),
    transactionId: fc.constantFrom(...IDS_ELSEWHERE),
    step: stay('receive'),
  }),
  fc.record({ kind: stay('pend' as const), facts, owner: stay(owner), status }),
  fc.record({ kind: stay('cancel' as const), facts, reason: stay('asked'), movedMinor }),
  fc.record({ kind: stay('resume' as const), facts }),
  {
    weight: 2,
    arbitrary: fc.record({ kind: stay('credit' as const), facts, movedMinor }),
  },
  fc.record({
    kind: stay('attention' as const),
    facts,
    owner: stay(owner),
    reason: fc.constantFrom('stuck', 'lost'),
    lastError: stay('oh'),
  }),
  {
    weight: 3,
    arbitrary: fc.record({ kind: stay('hold' as const), facts, step: holdStep, owner: stay(owner), status }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: stay('capture' as const),
      facts,
      step: stay('end'),
      holdStep: heldStep,
      to: fc.constantFrom(...ACCOUNTS, BANK.SGD, BANK.SGD, CLEARING.SGD),
      movedMinor,
    }),
  },
  fc.record({
    kind: stay('release' as const),
    facts,
    step: stay('end'),
    holdStep: heldStep,
    status: fc.constantFrom('cancelled' as const, 'rejected' as const),
    reason: stay('given back'),
    onlyWhile: fc.constantFrom(undefined, undefined, 'awaiting_approval' as const),
    movedMinor,
  }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: stay('decision' as const),
      id: fc.constantFrom('d1', 'd2', 'd3', 'd4', 'd5', 'd6'),
      transactionId: fc.constantFrom(...IDS),
      decision: fc.constantFrom('approve', 'approve', 'resolve', 'resolve', 'resolve', 'reject', 'retry', 'cancel'),
      actorId: fc.constantFrom('us_0_a', 'us_0_b', 'us_0_c'),
      role: stay('ops'),
      outcome: fc.constantFrom('completed' as const, 'cancelled' as const),
    }),
  },
  fc.record({ kind: stay('tombstone' as const), transactionId: fc.constantFrom(...IDS), step }),
  fc.record({
    kind: fc.constantFrom('freeze' as const, 'unfreeze' as const, 'close' as const, 'reopen' as const),
    accountId: fc.constantFrom(...USERS),
    actorId: stay('us_0_a'),
  }),
);

/** Few different facts, so that commands meet each other's transactions often. */
export const commands = fc.array(facts, { minLength: 1, maxLength: 3 }).chain((few) => {
  const family = [...few, ...few, ...few.flatMap(refundsOf)];
  return fc.array(
    fc.tuple(command, fc.nat(family.length + 1)).map(([each, pick]): Command => {
      const chosen = family[pick];
      if (!chosen) return each;
      if (each.kind === 'decision') return { ...each, transactionId: chosen.id };
      const isCrossing = each.kind === 'receive' || each.kind === 'repost';
      return 'facts' in each && !isCrossing ? { ...each, facts: chosen } : each;
    }),
    { maxLength: 24 },
  );
});

const fixed = (id: string, from: string, to: string, amountMinor: bigint): TransactionFacts => {
  return { id, type: 'transfer', actorId: 'us_0_a', hash: id, from, to, amountMinor, currency: currencyOf(from) };
};
const paid = fixed('tx_0_2', B, A, 4n);
const came = fixed('tx_1_1', ELSEWHERE, A, 4n);
const goingBack: TransactionFacts = { ...fixed('tx_0_1', A, ELSEWHERE, 3n), type: 'refund', linkedTo: came.id };
const heldBy = (name: string): Command => ({ kind: 'hold', facts: paid, step: name, owner });
function resolvedBy(actorId: string, id: string) {
  const asked = { kind: 'decision', decision: 'resolve', outcome: 'completed', role: 'ops' } as const;
  return { ...asked, id, transactionId: paid.id, actorId };
}

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
  'two refunds of one transfer': [
    { kind: 'transfer', facts: paid, owner },
    ...refundsOf(paid).map((each): Command => ({ kind: 'transfer', facts: each, owner })),
  ],
  'two people who resolve what a third asked for': [
    { kind: 'attention', facts: paid, owner, reason: 'stuck', lastError: 'oh' },
    resolvedBy('us_0_b', 'd1'),
    resolvedBy('us_0_b', 'd2'),
    resolvedBy('us_0_c', 'd3'),
  ],
  'a hold that waits for approval, and one who gives it': [
    { ...heldBy('hold'), status: 'awaiting_approval' } as Command,
    { kind: 'capture', facts: paid, step: 'end', holdStep: 'hold', to: BANK.SGD },
    { ...resolvedBy('us_0_b', 'd1'), decision: 'approve' },
    { kind: 'capture', facts: paid, step: 'end', holdStep: 'hold', to: BANK.SGD, movedMinor: 3n },
  ],
  'a refund of what came from another shard, tried and released': [
    { kind: 'receive', facts: came },
    { kind: 'transfer', facts: goingBack, owner },
    { kind: 'release', facts: goingBack, step: 'end', holdStep: 'try', status: 'rejected', reason: 'wallet_frozen' },
  ],
  'a transfer to another shard, all the way': [
    { kind: 'transfer', facts: fixed('tx_0_1', A, ELSEWHERE, 4n), owner },
    { kind: 'capture', facts: fixed('tx_0_1', A, ELSEWHERE, 4n), step: 'end', holdStep: 'try', to: CLEARING.SGD },
  ],
  'a debit that was lost, first unpaid and then paid': [
    { kind: 'transfer', facts: fixed('tx_0_3', A, B, 10n) },
    { kind: 'repost', facts: fixed('tx_0_1', A, ELSEWHERE, 4n), half: 'debit', actorId: 'holdfast' },
    { kind: 'transfer', facts: paid },
    { kind: 'repost', facts: fixed('tx_0_1', A, ELSEWHERE, 4n), half: 'debit', actorId: 'holdfast' },
  ],
  'a credit that was lost, to a wallet that is closed by now': [
    { kind: 'transfer', facts: fixed('tx_0_1', A, BANK.SGD, 10n) },
    { kind: 'close', accountId: A, actorId: 'us_0_a' },
    { kind: 'repost', facts: came, half: 'credit', actorId: 'holdfast' },
  ],
  'a forbidden hold': [{ kind: 'tombstone', transactionId: paid.id, step: 'hold' }, heldBy('hold')],
};
