import fc from 'fast-check';
import { isWorthANewAttempt } from '../../bank/errors';
import type { BankFact, BankState } from '../../bank/rail';
import { isFinal, TRANSACTION_STATUSES, type TransactionStatus, type TransactionType } from '../../contracts/statuses';
import { assess, type Verdict } from '../../payments/assess';
import { learn, weighFact, type BankRequest, type FactVerdict } from '../../payments/requests';
import { contradictsEnd, type Resolution } from '../../payments/stock';

const REFERENCE = 'tx_0_a:payout:1';
const STATES = ['sending', 'accepted', 'voiding', 'settled', 'refused', 'voided', 'returned'] as const;
const BANK_STATES: BankState[] = ['unknown', 'accepted', 'settled', 'refused', 'voided', 'returned'];

const FACTS = { id: 'tx_0_a', type: 'withdrawal', actorId: 'us_0_a', hash: 'h', from: 'ac_0_a' } as const;

const request = (state: BankRequest['state'], change: Partial<BankRequest> = {}): BankRequest => ({
  reference: REFERENCE,
  transaction_id: 'tx_0_a',
  step: 'payout',
  attempt: 1,
  state,
  amount: null,
  currency: null,
  settlement_id: null,
  reason: null,
  updated_at: new Date(0),
  ...change,
});
const settled = (change: Partial<BankRequest> = {}) =>
  request('settled', { amount: 500n, currency: 'SGD', settlement_id: 'st_1', ...change });

const fact = (state: BankState, change: Partial<BankFact> = {}): BankFact => ({
  reference: REFERENCE,
  state,
  ...(state === 'settled' && { amountMinor: 500n, currency: 'SGD', settlementId: 'st_1' }),
  ...(state === 'returned' && { amountMinor: 500n, currency: 'SGD', settlementId: 'st_2', reason: 'account_closed' }),
  ...change,
});

interface Asked {
  type?: TransactionType;
  status?: TransactionStatus;
  request?: BankRequest | undefined;
  resolution?: Resolution | undefined;
}
const verdict = ({ type = 'withdrawal', status = 'pending', ...facts }: Asked): Verdict =>
  assess({
    payment: { type, status, amountMinor: 500n, currency: 'SGD' },
    request: facts.request,
    resolution: facts.resolution,
    isWorthANewAttempt,
  });

const COMPLETE = { next: 'complete' };
const CANCELLED = { next: 'undo', status: 'cancelled', reason: 'cancelled_on_request' };
const RESOLVED_AS_CANCELLED = { next: 'undo', status: 'cancelled', reason: 'resolved_by_ops' };

describe('a fact changes what is known of a request', () => {
  const expected: Record<BankRequest['state'], Record<BankState, FactVerdict>> = {
    sending: row('known', 'change', 'change', 'change', 'change', 'change'),
    accepted: row('known', 'known', 'change', 'change', 'change', 'change'),
    voiding: row('known', 'known', 'change', 'change', 'change', 'change'),
    settled: row('known', 'known', 'known', 'refused_after_settlement', 'refused_after_settlement', 'change'),
    refused: row('known', 'known', 'settled_after_refusal', 'known', 'known', 'known'),
    voided: row('known', 'known', 'settled_after_void', 'known', 'known', 'known'),
    returned: row('known', 'known', 'known', 'known', 'known', 'known'),
  };
  function row(...verdicts: FactVerdict[]): Record<BankState, FactVerdict> {
    return Object.fromEntries(BANK_STATES.map((state, index) => [state, verdicts[index]!])) as never;
  }

  test.each(STATES.flatMap((state) => BANK_STATES.map((told) => [state, told, expected[state][told]] as const)))(
    'from %s, told %s: %s',
    (state, told, wanted) => expect(weighFact(request(state), fact(told))).toBe(wanted),
  );

  test('and a second number for a settlement is a second movement', () => {
    expect(weighFact(settled(), fact('settled', { settlementId: 'st_9' }))).toBe('double_settlement');
    expect(weighFact(settled(), fact('settled'))).toBe('known');
    expect(weighFact(settled({ settlement_id: null }), fact('settled'))).toBe('known');
  });
});

describe('whatever the bank tells, however often and in any order', () => {
  const facts = fc
    .record({
      state: fc.constantFrom(...BANK_STATES),
      amountMinor: fc.option(fc.bigInt({ min: 0n, max: 1000n }), { nil: undefined }),
      settlementId: fc.option(fc.constantFrom('st_1', 'st_2'), { nil: undefined }),
    })
    .map(({ state, amountMinor, settlementId }) => {
      const told: BankFact = { reference: REFERENCE, state };
      if (amountMinor !== undefined) told.amountMinor = amountMinor;
      if (settlementId !== undefined) told.settlementId = settlementId;
      return told;
    });
  const hear = (known: BankRequest, told: BankFact) =>
    weighFact(known, told) === 'change' ? learn(known, told) : known;
  const states = fc.constantFrom(...STATES).map((state) => request(state));

  test('a certainty is never unlearnt; only what was settled may come back', () =>
    fc.assert(
      fc.property(states, fc.array(facts), (first, all) => {
        let known = first;
        for (const told of all) {
          const before = known;
          known = hear(before, told);
          const isCertain = !['sending', 'accepted', 'voiding'].includes(before.state);
          if (!isCertain || known === before) continue;
          expect([before.state, known.state]).toEqual(['settled', 'returned']);
        }
      }),
    ));

  test('the same fact again is no news', () =>
    fc.assert(
      fc.property(states, facts, (first, told) => {
        const known = hear(first, told);
        expect(weighFact(known, told)).not.toBe('change');
        expect(hear(known, told)).toEqual(known);
      }),
    ));

  test('nothing that is done is ever sent or forbidden again by a fact', () =>
    fc.assert(
      fc.property(states, fc.array(facts), (first, all) => {
        const last = all.reduce(hear, first);
        if (last.state === 'sending' || last.state === 'voiding') expect(last).toEqual(first);
      }),
    ));

  test.each([
    [['accepted', 'settled']],
    [['accepted', 'settled', 'returned']],
    [['accepted', 'refused']],
    [['accepted', 'voided']],
  ] as const)('%j is known at the end as it ended, and contradicts nothing', (story) => {
    const told = story.map((state) => fact(state));
    fc.assert(
      fc.property(
        fc.constantFrom('sending' as const, 'voiding' as const),
        fc.shuffledSubarray([...told, ...told, fact('unknown')], { minLength: told.length * 2 + 1 }),
        (first, all) => {
          let known = request(first);
          for (const each of all) {
            expect(['change', 'known']).toContain(weighFact(known, each));
            known = hear(known, each);
          }
          expect(known).toMatchObject({ state: story.at(-1), ...(story.length > 2 && { amount: 500n }) });
        },
      ),
    );
  });
});

describe('what is next', () => {
  test.each([
    ['nothing was sent', undefined, { next: 'send' }],
    ['it may have been sent', request('sending'), { next: 'send' }],
    ['the bank has it', request('accepted'), { next: 'settlement' }],
    ['the bank is to forbid it', request('voiding'), { next: 'void' }],
    ['it has settled', settled(), COMPLETE],
    ['it has settled and the bank names no amount', request('settled'), COMPLETE],
    ['it was forbidden', request('voided'), CANCELLED],
    ['it was forbidden before it came', refused('voided'), CANCELLED],
    ['it came back at once', request('returned'), { next: 'undo', status: 'rejected', reason: 'bank_returned' }],
    ['it was refused', refused('limit'), { next: 'undo', status: 'rejected', reason: 'bank_limit' }],
    [
      'it was refused without a reason',
      request('refused'),
      { next: 'undo', status: 'rejected', reason: 'bank_refused' },
    ],
    ['it was refused for now', refused('cut_off'), { next: 'send' }],
    ['it was refused for now, twice', refused('cut_off', 2), { next: 'send' }],
    ['it was refused too often', refused('cut_off', 3), { next: 'undo', status: 'rejected', reason: 'bank_cut_off' }],
    ['another amount moved', settled({ amount: 499n }), { next: 'attention', reason: 'amount_mismatch' }],
    ['another currency moved', settled({ currency: 'USD' }), { next: 'attention', reason: 'currency_mismatch' }],
  ])('when %s', (_when, known, wanted) => {
    for (const type of ['deposit', 'withdrawal'] as const) {
      expect(verdict({ type, request: known })).toEqual(wanted);
      expect(verdict({ type, request: known, status: 'needs_attention' })).toEqual(wanted);
    }
  });
  function refused(reason: string, attempt = 1) {
    return request('refused', { reason, attempt });
  }

  test('is nothing once it has ended, and approval before anything else', () => {
    for (const status of TRANSACTION_STATUSES) {
      for (const known of [undefined, ...STATES.map((state) => request(state))]) {
        for (const resolution of [undefined, 'completed', 'cancelled'] as const) {
          const { next } = verdict({ status, request: known, resolution });
          if (isFinal(status)) expect(next).toBe('nothing');
          if (status === 'awaiting_approval') expect(next).toBe('approval');
        }
      }
    }
  });

  test('of an adjustment is that it is booked, as soon as it is approved', () => {
    expect(verdict({ type: 'adjustment', status: 'awaiting_approval' })).toEqual({ next: 'approval' });
    expect(verdict({ type: 'adjustment' })).toEqual(COMPLETE);
  });
});

describe('two people', () => {
  test.each(['sending', 'accepted', 'voiding'] as const)('may say what became of one that is %s', (state) => {
    expect(verdict({ request: request(state), resolution: 'completed' })).toEqual(COMPLETE);
    expect(verdict({ request: request(state), resolution: 'cancelled' })).toEqual(RESOLVED_AS_CANCELLED);
  });

  test('may end what was never sent, and can’t complete it', () => {
    expect(verdict({ resolution: 'cancelled' })).toEqual(RESOLVED_AS_CANCELLED);
    expect(verdict({ resolution: 'completed' })).toEqual({ next: 'send' });
  });

  test('end a mismatch either way, and the books are told what moved', () => {
    const mismatch = settled({ amount: 499n });
    expect(verdict({ request: mismatch, resolution: 'completed' })).toEqual({ next: 'complete', movedMinor: 499n });
    expect(verdict({ request: mismatch, resolution: 'cancelled' })).toEqual({
      ...RESOLVED_AS_CANCELLED,
      movedMinor: 499n,
    });
  });

  test('end a movement in another currency either way, of which nothing moved in this one', () => {
    const mismatch = settled({ currency: 'USD' });
    expect(verdict({ request: mismatch, resolution: 'completed' })).toEqual({ next: 'complete', movedMinor: 0n });
    expect(verdict({ request: mismatch, resolution: 'cancelled' })).toEqual(RESOLVED_AS_CANCELLED);
  });

  const resolutions = fc.constantFrom(undefined, 'completed' as const, 'cancelled' as const);

  test('can’t undo what has settled as asked', () =>
    fc.assert(
      fc.property(resolutions, fc.integer({ min: 1, max: 9 }), (resolution, attempt) => {
        expect(verdict({ request: settled({ attempt }), resolution })).toEqual(COMPLETE);
      }),
    ));

  test('can’t complete what the bank has refused, forbidden or given back', () =>
    fc.assert(
      fc.property(
        resolutions,
        fc.constantFrom('refused' as const, 'voided' as const, 'returned' as const),
        fc.constantFrom(null, 'limit', 'cut_off'),
        (resolution, state, reason) => {
          expect(verdict({ request: request(state, { reason }), resolution }).next).not.toBe('complete');
        },
      ),
    ));

  test('are needed to undo anything that may have moved money', () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...STATES),
        fc.option(fc.bigInt({ min: 0n, max: 1000n }), { nil: null }),
        fc.constantFrom(null, 'SGD', 'USD'),
        (state, amount, currency) => {
          const { next } = verdict({ request: request(state, { amount, currency }) });
          if (next === 'undo') expect(['refused', 'voided', 'returned']).toContain(state);
          if (next === 'complete') expect(state).toBe('settled');
        },
      ),
    ));
});

test.each([
  ['pending', fact('settled'), false],
  ['completed', fact('settled'), false],
  ['completed', fact('settled', { amountMinor: 499n }), true],
  ['completed', fact('settled', { currency: 'USD' }), true],
  ['completed', fact('refused'), true],
  ['completed', fact('voided'), true],
  ['completed', fact('returned'), false],
  ['cancelled', fact('settled'), true],
  ['cancelled', fact('voided'), false],
  ['cancelled', fact('refused'), false],
  ['rejected', fact('settled'), true],
] as const)('of a payment that is %s, word %# of the bank contradicts its end or not', (status, told, wanted) => {
  const facts = { ...FACTS, amountMinor: 500n, currency: 'SGD' };
  expect(contradictsEnd({ facts, status }, told)).toBe(wanted);
});
