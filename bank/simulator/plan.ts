import type { BankOrder } from '../rail';
import { refusalOf, returnOf } from './conventions';
import type { Faults, RequestKind, Subject } from './faults';

/**
 * What is to become of a request, decided once, when it comes, and stored with it: so a restart changes nothing, and
 * faults that are switched on later don't reach back.
 */
export interface Plan {
  /** Refused with this reason, and nothing else. */
  refused?: string;
  /** Lost on the way, for now. */
  late?: true;
  neverSettles?: true;
  /** What settles, when it isn't what was asked for. As text: this is stored as JSON. */
  settledAmount?: string;
  settlesTwice?: true;
  returned?: { afterMs: number; reason: string };
  hidden?: { looks: number; forMs: number };
}

const RETURN_AFTER_MS = 1_000;

export function planFor(kind: RequestKind, order: BankOrder, faults: Faults): Plan {
  const subject: Subject = { key: order.reference, kind, call: 'request' };
  const rejected = faults.hit('rejected', subject);
  const refused = rejected ? (rejected.reason ?? 'liquidity') : refusalOf(kind, order.account);
  if (refused !== undefined) return { refused };

  const plan: Plan = {};
  if (faults.hit('late_request', subject)) plan.late = true;
  if (faults.hit('never_settles', subject)) plan.neverSettles = true;
  if (faults.hit('amount_mismatch', subject)) {
    plan.settledAmount = String(order.amountMinor > 1n ? order.amountMinor - 1n : order.amountMinor + 1n);
  }
  if (faults.hit('double_settlement', subject)) plan.settlesTwice = true;
  const lag = faults.hit('lookup_lags', subject);
  if (lag) plan.hidden = { looks: lag.looks ?? (lag.delayMs === undefined ? 1 : 0), forMs: lag.delayMs ?? 0 };
  const returned = kind === 'payout' ? faults.hit('returned', subject) : undefined;
  if (returned)
    plan.returned = { afterMs: returned.delayMs ?? RETURN_AFTER_MS, reason: returned.reason ?? 'account_closed' };
  const byNumber = returnOf(kind, order.account);
  if (plan.returned === undefined && byNumber !== undefined)
    plan.returned = { afterMs: RETURN_AFTER_MS, reason: byNumber };
  return plan;
}
