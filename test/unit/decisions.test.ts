import type { Command, DecisionCommand, TransactionFacts } from '../../ledger/commands';
import { BANK, Model, owner } from '../support/books-model';

const [A, B] = ['ac_0_a.SGD', 'ac_0_b.SGD'];
const [CUSTOMER, ONE, TWO] = ['us_0_a', 'us_0_b', 'us_0_c'] as const;
const paidOut: TransactionFacts = {
  id: 'tx_0_w',
  type: 'withdrawal',
  actorId: CUSTOMER,
  hash: 'h',
  from: A,
  to: BANK.SGD,
  amountMinor: 6n,
  currency: 'SGD',
};
const hold: Command = { kind: 'hold', facts: paidOut, step: 'hold', owner, status: 'awaiting_approval' };
const capture: Command = { kind: 'capture', facts: paidOut, step: 'capture', holdStep: 'hold', to: BANK.SGD };
const attention: Command = { kind: 'attention', facts: paidOut, owner, reason: 'stuck', lastError: 'oh' };
const expiry: Command = {
  kind: 'release',
  facts: paidOut,
  step: 'release',
  holdStep: 'hold',
  status: 'cancelled',
  reason: 'approval_expired',
  onlyWhile: 'awaiting_approval',
};

let model: Model;
let decisions: number;
beforeEach(() => {
  model = new Model();
  decisions = 0;
});

const post = (command: Command) => model.post([command])[0]!;
const says = (decision: DecisionCommand['decision'], actorId: string, more: Partial<DecisionCommand> = {}) =>
  post({ kind: 'decision', id: `d${decisions++}`, transactionId: paidOut.id, decision, actorId, role: 'ops', ...more });
const resolves = (actorId: string, outcome: 'completed' | 'cancelled') => says('resolve', actorId, { outcome });
const refused = (reason: string) => ({ kind: 'refused', reason });
const told = () => model.events.filter(({ subjectId }) => subjectId === paidOut.id).map(({ kind }) => kind);

describe('approval', () => {
  test('lets a hold be captured, which was not possible before', () => {
    post(hold);
    expect(post(capture)).toEqual(refused('step_not_possible'));
    expect(says('approve', ONE)).toEqual({ kind: 'decision', id: 'd0', state: 'final', status: 'pending' });
    expect(post(capture)).toMatchObject({ status: 'completed' });
    expect(told()).toEqual(['held', 'awaiting_approval', 'approved', 'pending', 'completed']);
  });

  test('given before the hold came is not asked for again', () => {
    post({ kind: 'pend', facts: paidOut, owner, status: 'awaiting_approval' });
    says('approve', ONE);
    expect(post(hold)).toMatchObject({ status: 'pending' });
  });

  test('is asked for by a hold although its transaction was pended without', () => {
    post({ kind: 'pend', facts: paidOut, owner });
    expect(post(hold)).toMatchObject({ status: 'awaiting_approval' });
  });

  test('refused gives back what is held, and ends the transaction', () => {
    post(hold);
    expect(says('reject', ONE)).toMatchObject({ state: 'final', status: 'cancelled' });
    expect(model.transactions.get(paidOut.id)).toMatchObject({ reason: 'approval_rejected' });
    expect(model.accounts.get(A)).toMatchObject({ balance: 10n, held: 0n });
    expect(model.steps.get('tx_0_w:release')).toMatchObject({ outcome: 'done' });
    expect(post(hold)).toMatchObject({ status: 'cancelled', replayed: true });
  });

  test('refused of what holds nothing ends it as well', () => {
    post({ kind: 'pend', facts: paidOut, owner, status: 'awaiting_approval' });
    expect(says('reject', ONE)).toMatchObject({ status: 'cancelled' });
    expect(model.steps.size).toBe(0);
  });

  test.each(['approve', 'reject'] as const)('is not for who asked: %s', (decision) => {
    post(hold);
    expect(says(decision, CUSTOMER)).toEqual(refused('own_request'));
  });

  test.each(['approve', 'reject'] as const)('is given only where it is awaited: %s', (decision) => {
    post({ ...hold, status: 'pending' });
    expect(says(decision, ONE)).toEqual(refused('not_awaiting_approval'));
  });

  test('that comes first makes its expiry impossible, and one that comes later comes too late', () => {
    post(hold);
    says('approve', ONE);
    expect(post(expiry)).toEqual(refused('step_not_possible'));
    model = new Model();
    post(hold);
    expect(post(expiry)).toMatchObject({ status: 'cancelled', reason: 'approval_expired' });
    expect(says('approve', ONE)).toEqual(refused('not_awaiting_approval'));
  });

  test('that is awaited can not be got around by asking for attention and trying again', () => {
    post(hold);
    expect(post(attention)).toMatchObject({ status: 'awaiting_approval' });
    expect(post({ kind: 'resume', facts: paidOut })).toMatchObject({ status: 'awaiting_approval' });
    expect(post(capture)).toEqual(refused('step_not_possible'));
  });

  test.each([
    ['transfer', { type: 'transfer', from: A, to: B }],
    ['transfer', { type: 'adjustment', from: A, to: 'ac_0_@suspense.SGD' }],
    ['credit', { type: 'deposit', from: BANK.SGD, to: A }],
  ] as const)('that is awaited keeps a %s from completing %j', (kind, change) => {
    const facts: TransactionFacts = { ...paidOut, ...change };
    post({ kind: 'pend', facts, owner, status: 'awaiting_approval' });
    expect(post({ kind, facts })).toEqual(refused('step_not_possible'));
    says('approve', ONE);
    expect(post({ kind, facts })).toMatchObject({ status: 'completed' });
  });
});

describe('resolving', () => {
  beforeEach(() => {
    post({ ...hold, status: 'pending' });
    post(attention);
  });

  test('takes two people who say the same', () => {
    expect(resolves(ONE, 'completed')).toEqual({
      kind: 'decision',
      id: 'd0',
      state: 'proposed',
      status: 'needs_attention',
    });
    expect(resolves(ONE, 'completed')).toEqual(refused('second_person_needed'));
    expect(resolves(TWO, 'completed')).toMatchObject({ state: 'final', status: 'needs_attention' });
    expect(told().slice(-2)).toEqual(['resolve_proposed', 'resolve_confirmed']);
  });

  test('as something else is a new proposal, and the old one is void', () => {
    resolves(ONE, 'completed');
    expect(resolves(TWO, 'cancelled')).toMatchObject({ state: 'proposed' });
    expect(resolves(ONE, 'completed')).toMatchObject({ state: 'proposed' });
    expect(resolves(TWO, 'completed')).toMatchObject({ state: 'final' });
  });

  test('starts anew once somebody asked for another try', () => {
    resolves(ONE, 'completed');
    says('retry', TWO);
    expect(resolves(TWO, 'completed')).toMatchObject({ state: 'proposed' });
  });

  test('is not for who asked, neither first nor second', () => {
    expect(resolves(CUSTOMER, 'completed')).toEqual(refused('own_request'));
    resolves(ONE, 'completed');
    expect(resolves(CUSTOMER, 'completed')).toEqual(refused('own_request'));
  });

  test('is only for what needs attention', () => {
    resolves(ONE, 'completed');
    expect(post({ kind: 'resume', facts: paidOut })).toMatchObject({ status: 'pending' });
    expect(resolves(TWO, 'completed')).toEqual(refused('not_in_attention'));
  });
});

describe('any decision', () => {
  test.each(['approve', 'reject', 'retry', 'cancel', 'resolve'] as const)(
    'about a transaction that is not there is refused: %s',
    (decision) => {
      expect(says(decision, ONE, { outcome: 'completed' })).toEqual(refused('unknown_transaction'));
    },
  );

  test.each(['retry', 'cancel'] as const)('to %s is written down until the transaction has ended', (decision) => {
    post({ ...hold, status: 'pending' });
    expect(says(decision, ONE)).toMatchObject({ state: 'final', status: 'pending' });
    post(capture);
    expect(says(decision, ONE)).toEqual(refused('too_late'));
  });

  test('asked for again is answered again, and written once', () => {
    post(hold);
    const approve = () => says('approve', ONE, { id: 'same' });
    const answer = approve();
    const before = model.state();
    expect(approve()).toEqual(answer);
    expect(model.state()).toEqual(before);
  });

  test.each([
    ['kind', { decision: 'reject' }],
    ['person', { actorId: TWO }],
    ['transaction', { transactionId: 'tx_0_opening_0' }],
  ] as const)('under the id of one with another %s is a conflict', (_what, change) => {
    post(hold);
    says('approve', ONE, { id: 'same' });
    expect(says('approve', ONE, { id: 'same', ...change })).toEqual({ kind: 'conflict', id: 'same' });
  });

  test('names its person and role in the chain, and the outcome where there is one', () => {
    post({ ...hold, status: 'pending' });
    post(attention);
    resolves(ONE, 'cancelled');
    expect(JSON.parse(model.events.at(-1)!.detail)).toEqual({
      by: { actor: ONE, role: 'ops' },
      id: 'd0',
      kind: 'resolve',
      outcome: 'cancelled',
    });
  });
});
