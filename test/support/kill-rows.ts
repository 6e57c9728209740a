import type { NewFault } from '../../bank/simulator/faults';

export const VICTIMS = ['API', 'worker', 'bank', 'Postgres', 'Temporal'] as const;
export type Victim = (typeof VICTIMS)[number];

/** Where a payment is when a process is killed, how it is kept there, and how it has to end. */
export interface Moment {
  name: 'unsent' | 'asking' | 'accepted' | 'webhook' | 'posting' | 'cancel';
  what: string;
  /** What keeps it there. */
  faults: NewFault[];
  ends: 'completed' | 'cancelled';
}

const FOR_LONG_MS = 20_000;
/** It has settled, and we can't have heard of it. */
const unheard: NewFault[] = [
  { name: 'webhook_out_of_order', delayMs: FOR_LONG_MS },
  { name: 'outage', call: 'look_up' },
];

export const MOMENTS: Moment[] = [
  {
    name: 'unsent',
    what: 'before the bank was asked',
    faults: [{ name: 'outage', call: 'request' }],
    ends: 'completed',
  },
  {
    name: 'asking',
    what: 'while the bank is asked',
    faults: [{ name: 'slow', call: 'request', delayMs: FOR_LONG_MS }],
    ends: 'completed',
  },
  { name: 'accepted', what: 'between acceptance and settlement', faults: [], ends: 'completed' },
  { name: 'webhook', what: 'settled, before its webhook', faults: unheard, ends: 'completed' },
  { name: 'posting', what: 'while it is posted', faults: unheard, ends: 'completed' },
  {
    name: 'cancel',
    what: 'during a cancel',
    faults: [{ name: 'never_settles' }, { name: 'slow', call: 'void', delayMs: FOR_LONG_MS }],
    ends: 'cancelled',
  },
];
