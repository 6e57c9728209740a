import type { NewFault } from '../../bank/simulator/faults';
import type { TransactionStatus } from '../../contracts/statuses';

export type PaymentType = 'deposit' | 'withdrawal';
export type Step = 'request' | 'look-up' | 'settlement' | 'cancel' | 'return';
export type PersonsPart = 'retry' | 'cancel' | 'resolve as completed' | 'resolve as cancelled';

/** One thing that goes wrong at the bank, at one step, and how a payment that meets it has to end. */
export interface FaultRow {
  step: Step;
  what: string;
  faults: NewFault[];
  /** Both kinds, unless only one has the step. */
  only?: PaymentType;
  /** A cancel is asked for as soon as the request stands so in our books. */
  cancelWhen?: 'sending' | 'accepted';
  /** It waits for a person, for this reason, who does this once the bank is well again. */
  waits?: { reason: string; then: PersonsPart };
  ends: Extract<TransactionStatus, 'completed' | 'rejected' | 'cancelled'>;
  reason?: string;
  /** The payout came back: a reversal gives it to its wallet, once. */
  reversed?: true;
  /** What the bank moved besides, and where people see it: in ops' inbox, or on the bank's statement alone. */
  besides?: 'second settlement, in the inbox' | 'return, on the statement';
}

function at(step: Step, rows: Omit<FaultRow, 'step'>[]): FaultRow[] {
  return rows.map((row) => ({ step, ...(step === 'return' && { only: 'withdrawal' }), ...row }));
}

/** More than the rail waits for an answer, in the test that runs these. */
const TOO_SLOW_MS = 2_000;
/** Within that, and more than the bank takes to settle. */
const A_WHILE_MS = 700;

const atRequest = at('request', [
  { what: 'the bank is out twice', faults: [{ name: 'outage', call: 'request', times: 2 }], ends: 'completed' },
  {
    what: 'the connection breaks off twice, nothing done',
    faults: [{ name: 'outage', mode: 'destroy', call: 'request', times: 2 }],
    ends: 'completed',
  },
  {
    what: 'the bank stays out',
    faults: [{ name: 'outage' }],
    waits: { reason: 'bank_not_answering', then: 'retry' },
    ends: 'completed',
  },
  {
    what: 'the bank stays out, and ops gives up',
    faults: [{ name: 'outage' }],
    waits: { reason: 'bank_not_answering', then: 'cancel' },
    ends: 'cancelled',
    reason: 'cancelled_on_request',
  },
  {
    what: 'the answer takes too long',
    faults: [{ name: 'slow', call: 'request', delayMs: TOO_SLOW_MS, times: 1 }],
    ends: 'completed',
  },
  { what: 'it is done, and the answer is lost', faults: [{ name: 'answer_lost', times: 1 }], ends: 'completed' },
  {
    what: 'it is refused, and the answer is lost',
    faults: [
      { name: 'rejected', reason: 'account_closed' },
      { name: 'answer_lost', times: 1 },
    ],
    ends: 'rejected',
    reason: 'bank_account_closed',
  },
  {
    what: 'it is refused for good',
    faults: [{ name: 'rejected', reason: 'account_closed' }],
    ends: 'rejected',
    reason: 'bank_account_closed',
  },
  {
    what: 'it is refused for a reason that nobody knows',
    faults: [{ name: 'rejected', reason: 'moon_phase' }],
    ends: 'rejected',
    reason: 'bank_moon_phase',
  },
  {
    what: 'it is refused once, for a reason that passes',
    faults: [{ name: 'rejected', reason: 'cut_off', times: 1 }],
    ends: 'completed',
  },
  {
    what: 'it is refused each time, for a reason that might pass',
    faults: [{ name: 'rejected', reason: 'liquidity' }],
    ends: 'rejected',
    reason: 'bank_liquidity',
  },
  { what: 'it arrives only after a look-up said unknown', faults: [{ name: 'late_request' }], ends: 'completed' },
]);

const atLookUp = at('look-up', [
  {
    what: 'the answer to the request is lost, and look-ups lag behind',
    faults: [
      { name: 'answer_lost', times: 1 },
      { name: 'lookup_lags', looks: 3 },
    ],
    ends: 'completed',
  },
  {
    what: 'the answer to the request is lost, and the bank is out when it is looked up',
    faults: [
      { name: 'answer_lost', times: 1 },
      { name: 'outage', call: 'look_up', times: 2 },
    ],
    ends: 'completed',
  },
  {
    what: 'the answer to the request is lost, and the look-up takes too long',
    faults: [
      { name: 'answer_lost', times: 1 },
      { name: 'slow', call: 'look_up', delayMs: TOO_SLOW_MS, times: 1 },
    ],
    ends: 'completed',
  },
  {
    what: 'look-ups go unanswered, and no webhook comes',
    faults: [{ name: 'outage', mode: 'destroy', call: 'look_up' }, { name: 'webhook_lost' }],
    waits: { reason: 'bank_not_answering', then: 'retry' },
    ends: 'completed',
  },
]);

const atSettlement = at('settlement', [
  {
    what: 'it never settles, and ops cancels',
    faults: [{ name: 'never_settles' }],
    waits: { reason: 'not_settled', then: 'cancel' },
    ends: 'cancelled',
    reason: 'cancelled_on_request',
  },
  {
    what: 'it never settles, and ops knows that nothing will come',
    faults: [{ name: 'never_settles' }],
    waits: { reason: 'not_settled', then: 'resolve as cancelled' },
    ends: 'cancelled',
    reason: 'resolved_by_ops',
  },
  {
    what: 'another amount settles, and ops takes it as done',
    faults: [{ name: 'amount_mismatch' }],
    waits: { reason: 'amount_mismatch', then: 'resolve as completed' },
    ends: 'completed',
  },
  {
    what: 'another amount settles, and ops takes it as not done',
    faults: [{ name: 'amount_mismatch' }],
    waits: { reason: 'amount_mismatch', then: 'resolve as cancelled' },
    ends: 'cancelled',
    reason: 'resolved_by_ops',
  },
  {
    what: 'it settles twice',
    faults: [{ name: 'double_settlement' }],
    ends: 'completed',
    besides: 'second settlement, in the inbox',
  },
  { what: 'the webhook is lost', faults: [{ name: 'webhook_lost' }], ends: 'completed' },
  { what: 'the webhook comes three times', faults: [{ name: 'webhook_duplicated' }], ends: 'completed' },
  { what: 'the webhook comes late', faults: [{ name: 'webhook_out_of_order' }], ends: 'completed' },
  {
    what: 'the webhook is wrongly signed, at first',
    faults: [{ name: 'webhook_wrongly_signed', times: 2 }],
    ends: 'completed',
  },
  { what: 'the webhook is always wrongly signed', faults: [{ name: 'webhook_wrongly_signed' }], ends: 'completed' },
]);

const neverSettles: NewFault = { name: 'never_settles' };
const cancelled = { ends: 'cancelled', reason: 'cancelled_on_request' } as const;

const atCancel = at('cancel', [
  { what: 'the bank has accepted it', faults: [neverSettles], cancelWhen: 'accepted', ...cancelled },
  {
    what: 'the bank is out twice when it is to void it',
    faults: [neverSettles, { name: 'outage', call: 'void', times: 2 }],
    cancelWhen: 'accepted',
    ...cancelled,
  },
  {
    what: 'the bank stays out when it is to void it',
    faults: [neverSettles, { name: 'outage', call: 'void' }],
    cancelWhen: 'accepted',
    waits: { reason: 'bank_not_answering', then: 'retry' },
    ...cancelled,
  },
  {
    what: 'the answer to the void takes too long',
    faults: [neverSettles, { name: 'slow', call: 'void', delayMs: TOO_SLOW_MS, times: 1 }],
    cancelWhen: 'accepted',
    ...cancelled,
  },
  {
    what: 'it is voided, and the answer is lost',
    faults: [neverSettles, { name: 'answer_lost', call: 'void', times: 1 }],
    cancelWhen: 'accepted',
    ...cancelled,
  },
  {
    what: 'the request is still on its way: the void is there first',
    faults: [{ name: 'late_request' }, { name: 'outage', call: 'look_up' }],
    cancelWhen: 'sending',
    ...cancelled,
  },
  {
    what: 'it settles while the void is on its way: the cancel came too late',
    faults: [
      { name: 'answer_lost', call: 'request', times: 1 },
      { name: 'outage', call: 'look_up' },
      { name: 'slow', call: 'void', delayMs: A_WHILE_MS },
    ],
    cancelWhen: 'sending',
    ends: 'completed',
  },
]);

const returned: NewFault = { name: 'returned', delayMs: 6_000 };
const givenBack = { ends: 'completed', reversed: true } as const;

const atReturn = at('return', [
  { what: 'it comes back later', faults: [returned], ...givenBack },
  {
    what: 'the webhooks come three times',
    faults: [returned, { name: 'webhook_duplicated' }],
    ...givenBack,
  },
  {
    what: 'the settlement is told after the return',
    faults: [returned, { name: 'webhook_out_of_order', delayMs: 9_000, times: 1 }],
    ...givenBack,
  },
  {
    what: 'the webhooks are wrongly signed, at first',
    faults: [returned, { name: 'webhook_wrongly_signed', times: 3 }],
    ...givenBack,
  },
  {
    what: 'the answer to the request is lost',
    faults: [returned, { name: 'answer_lost', times: 1 }],
    ...givenBack,
  },
  {
    what: 'nobody heard of the settlement before',
    faults: [returned, { name: 'outage', call: 'look_up' }, { name: 'webhook_lost', times: 1 }],
    ends: 'rejected',
    reason: 'bank_returned',
  },
  {
    what: 'no webhook comes',
    faults: [returned, { name: 'webhook_lost' }],
    ends: 'completed',
    besides: 'return, on the statement',
  },
]);

export const faultRows: FaultRow[] = [...atRequest, ...atLookUp, ...atSettlement, ...atCancel, ...atReturn];

export const typesOf = ({ only }: FaultRow): PaymentType[] => (only ? [only] : ['deposit', 'withdrawal']);
