import type { TransactionType } from '../../contracts/statuses';
import type { Command, TransactionFacts } from '../../ledger/commands';
import { BANK, Model, owner, SUSPENSE } from '../support/books-model';

const [A, B] = ['ac_0_a.SGD', 'ac_0_b.SGD'] as const;
const REFUSED = { kind: 'refused', reason: 'step_not_possible' };

let model: Model;
let ids: number;
beforeEach(() => {
  model = new Model();
  ids = 0;
});

const post = (command: Command) => model.post([command])[0]!;
const factsOf = (type: TransactionType, from: string, to: string | undefined, amountMinor: bigint) => {
  const id = `tx_0_${ids++}`;
  const facts: TransactionFacts = { id, type, actorId: 'us_0_a', hash: id, from, to, amountMinor, currency: 'SGD' };
  return facts;
};
const deposit = (to: string | undefined) => factsOf('deposit', BANK.SGD, to, 5n);
const balance = (id: string) => model.accounts.get(id)!.balance;
/** What changes in `@bank`, `@suspense` and the wallet of A. */
function changes(act: () => void): Record<'bank' | 'suspense' | 'a', bigint> {
  const look = () => [BANK.SGD, SUSPENSE.SGD, A].map(balance) as [bigint, bigint, bigint];
  const before = look();
  act();
  const [bank, suspense, a] = look().map((now, index) => now - before[index]!) as [bigint, bigint, bigint];
  return { bank, suspense, a };
}

describe('a deposit that has arrived', () => {
  test('is the customer’s, once', () => {
    const credit: Command = { kind: 'credit', facts: deposit(A) };
    expect(changes(() => post(credit))).toEqual({ bank: -5n, suspense: 0n, a: 5n });
    expect(changes(() => post(credit))).toEqual({ bank: 0n, suspense: 0n, a: 0n });
    expect(post(credit)).toMatchObject({ status: 'completed', reason: null, replayed: true });
  });

  test('reaches a frozen wallet', () => {
    post({ kind: 'freeze', accountId: A, actorId: 'us_0_b' });
    expect(changes(() => post({ kind: 'credit', facts: deposit(A) }))).toEqual({ bank: -5n, suspense: 0n, a: 5n });
  });

  test.each([
    [7n, 2n],
    [3n, -2n],
    [0n, -5n],
    [5n, 0n],
  ])('as %s where 5 were asked for leaves the difference in suspense', (movedMinor, suspense) => {
    const credit: Command = { kind: 'credit', facts: deposit(A), movedMinor };
    expect(changes(() => post(credit))).toEqual({ bank: -movedMinor, suspense, a: 5n });
  });

  test.each([
    ['is unknown', 'unknown_recipient', undefined],
    ['is gone', 'unknown_recipient', 'ac_0_gone.SGD'],
    ['holds another currency', 'currency_mismatch', 'ac_0_a.JPY'],
    ['can hold no more', 'balance_limit', B],
    ['is closed', 'wallet_closed', 'ac_0_c.SGD'],
  ])('waits in suspense when its wallet %s', (_what, why, to) => {
    model.accounts.set(B, { ...model.accounts.get(B)!, balance: 2n ** 62n });
    model.accounts.set('ac_0_c.SGD', { ...model.accounts.get('ac_0_c.SGD')!, status: 'closed' });
    const credit: Command = { kind: 'credit', facts: deposit(to) };
    expect(changes(() => post(credit))).toEqual({ bank: -5n, suspense: 5n, a: 0n });
    expect(post(credit)).toMatchObject({ status: 'completed', reason: 'in_suspense' });
    expect(model.events.slice(-2)).toMatchObject([
      { kind: 'in_suspense', detail: JSON.stringify({ reason: why }) },
      { kind: 'completed' },
    ]);
  });

  test('comes from the bank’s account and no other', () => {
    expect(() => post({ kind: 'credit', facts: factsOf('deposit', B, A, 5n) })).toThrow('@bank');
  });

  test('but is cancelled by people is nobody’s yet', () => {
    const cancel: Command = { kind: 'cancel', facts: deposit(A), reason: 'resolved', movedMinor: 5n };
    expect(changes(() => post(cancel))).toEqual({ bank: -5n, suspense: 5n, a: 0n });
    expect(post(cancel)).toMatchObject({ status: 'cancelled', reason: 'resolved' });
  });
});

describe('a withdrawal', () => {
  const held = () => {
    const facts = factsOf('withdrawal', A, BANK.SGD, 5n);
    post({ kind: 'hold', facts, step: 'hold', owner });
    return facts;
  };
  const capture = (facts: TransactionFacts, to: string, movedMinor?: bigint): Command => {
    return { kind: 'capture', facts, step: 'capture', holdStep: 'hold', to, movedMinor };
  };

  test.each([
    [7n, -2n],
    [3n, 2n],
    [0n, 5n],
    [5n, 0n],
  ])('of which the bank paid %s instead of 5 leaves the difference in suspense', (movedMinor, suspense) => {
    const facts = held();
    const moved = changes(() => post(capture(facts, BANK.SGD, movedMinor)));
    expect(moved).toEqual({ bank: movedMinor, suspense, a: -5n });
  });

  test('goes to where its row says or to the house, never to another customer', () => {
    const facts = held();
    expect(post(capture(facts, B))).toEqual(REFUSED);
    expect(post(capture(facts, SUSPENSE.SGD, 5n))).toEqual(REFUSED);
    expect(post(capture(facts, SUSPENSE.SGD))).toMatchObject({ status: 'completed' });
  });

  test.each(['cancelled', 'rejected'] as const)('that is %s gives back what is held', (status) => {
    const facts = held();
    const release: Command = {
      kind: 'release',
      facts,
      step: 'release',
      holdStep: 'hold',
      status,
      reason: 'no_account',
    };
    expect(post(release)).toMatchObject({ status, reason: 'no_account' });
    expect(model.accounts.get(A)).toMatchObject({ balance: 10n, held: 0n });
  });

  test('cancelled by people although the bank paid is the house’s loss until it is found', () => {
    const facts = held();
    const rest = { step: 'release', holdStep: 'hold', status: 'cancelled', reason: 'resolved' } as const;
    const release: Command = { kind: 'release', facts, ...rest, movedMinor: 5n };
    expect(changes(() => post(release))).toEqual({ bank: 5n, suspense: -5n, a: 0n });
    expect(model.accounts.get(A)).toMatchObject({ held: 0n });
  });

  test('asked for again is answered as it stands', () => {
    const facts = factsOf('withdrawal', A, BANK.SGD, 5n);
    const hold: Command = { kind: 'hold', facts, step: 'hold', owner, status: 'awaiting_approval' };
    expect(post(hold)).toMatchObject({ status: 'awaiting_approval', replayed: false });
    expect(post(hold)).toMatchObject({ status: 'awaiting_approval', replayed: true });
    expect(model.accounts.get(A)).toMatchObject({ held: 5n });
  });
});

describe('a refund', () => {
  const paid = () => {
    const facts = factsOf('transfer', A, B, 8n);
    post({ kind: 'transfer', facts });
    return facts;
  };
  const refund = (of: TransactionFacts, amountMinor: bigint, change: Partial<TransactionFacts> = {}): Command => {
    const facts = factsOf('refund', of.to!, of.from, amountMinor);
    return { kind: 'transfer', facts: { ...facts, linkedTo: of.id, ...change } };
  };

  test('gives back in parts, and no more than was paid', () => {
    const facts = paid();
    const answers = model.post([refund(facts, 5n), refund(facts, 4n), refund(facts, 3n), refund(facts, 1n)]);
    expect(answers).toMatchObject([
      { status: 'completed' },
      { status: 'rejected', reason: 'nothing_left' },
      { status: 'completed' },
      { status: 'rejected', reason: 'nothing_left' },
    ]);
    expect(model.transactions.get(facts.id)).toMatchObject({ refundedMinor: 8n });
    expect(balance(A)).toBe(10n);
    const events = model.events
      .filter(({ kind }) => kind === 'refunded')
      .map(({ detail }) => JSON.parse(detail) as object);
    expect(events).toMatchObject([{ amountMinor: '5' }, { amountMinor: '3' }]);
  });

  test('of a transfer in the same batch is possible', () => {
    const facts = factsOf('transfer', A, B, 8n);
    expect(model.post([{ kind: 'transfer', facts }, refund(facts, 8n)])).toMatchObject([
      { status: 'completed' },
      { status: 'completed' },
    ]);
  });

  test.each<[string, Partial<TransactionFacts>]>([
    ['what nobody knows', { linkedTo: 'tx_0_none' }],
    ['nothing', { linkedTo: undefined }],
    ['somebody else’s transfer', { from: 'ac_0_c.SGD' }],
    ['to somebody else', { to: 'ac_0_c.SGD' }],
    ['an opening', { linkedTo: 'tx_0_opening_0' }],
  ])('of %s is rejected', (_what, change) => {
    expect(post(refund(paid(), 1n, change))).toMatchObject({ status: 'rejected', reason: 'not_refundable' });
  });

  test('of what was rejected is rejected', () => {
    const facts = factsOf('transfer', A, B, 11n);
    post({ kind: 'transfer', facts });
    expect(post(refund(facts, 1n))).toMatchObject({ reason: 'not_refundable' });
  });

  test('that the recipient can not pay takes nothing from what is left', () => {
    const facts = paid();
    post({ kind: 'transfer', facts: factsOf('transfer', B, 'ac_0_c.SGD', 18n) });
    expect(post(refund(facts, 1n))).toMatchObject({ reason: 'insufficient_funds' });
    expect(model.transactions.get(facts.id)).toMatchObject({ refundedMinor: 0n });
  });
});

describe('an adjustment', () => {
  test.each([
    ['to', SUSPENSE.SGD, A, 4n],
    ['from', A, SUSPENSE.SGD, -4n],
  ])('%s a customer is posted once it is written down', (_what, from, to, a) => {
    const facts = factsOf('adjustment', from, to, 4n);
    expect(post({ kind: 'transfer', facts })).toEqual(REFUSED);
    post({ kind: 'pend', facts, owner });
    expect(changes(() => post({ kind: 'transfer', facts }))).toEqual({ bank: 0n, suspense: -a, a });
  });

  test.each([
    ['two customers', A, B],
    ['the bank and a customer', BANK.SGD, A],
    ['the house alone', BANK.SGD, SUSPENSE.SGD],
  ])('between %s is a mistake', (_what, from, to) => {
    const facts = factsOf('adjustment', from, to, 4n);
    post({ kind: 'pend', facts, owner });
    expect(() => post({ kind: 'transfer', facts })).toThrow('@suspense');
  });
});

test.each([
  ['deposit', 'transfer'],
  ['reversal', 'transfer'],
  ['withdrawal', 'transfer'],
  ['withdrawal', 'credit'],
  ['refund', 'credit'],
  ['transfer', 'credit'],
] as const)('a %s is not moved by a %s', (type, kind) => {
  expect(post({ kind, facts: factsOf(type, BANK.SGD, A, 1n) })).toEqual(REFUSED);
});

test('what needed attention is pending again once it is tried, and nothing else changes', () => {
  const facts = deposit(A);
  expect(post({ kind: 'resume', facts })).toEqual(REFUSED);
  post({ kind: 'pend', facts, owner });
  const before = model.state();
  expect(post({ kind: 'resume', facts })).toMatchObject({ status: 'pending' });
  expect(model.state()).toEqual(before);
  post({ kind: 'attention', facts, owner, reason: 'stuck', lastError: 'oh' });
  expect(post({ kind: 'resume', facts })).toMatchObject({ status: 'pending', reason: null });
});
