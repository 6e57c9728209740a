import type { AccountCheck, BankAccountDetails } from '../rail';
import type { RequestKind } from './faults';

/**
 * What the last four digits of an account number provoke, so that a test or a demo can show each ending without
 * switching a fault on. Any other number is a good one.
 */
export const ENDINGS: Record<string, { reason: string; only?: RequestKind; returned?: true; atCheck?: true }> = {
  '0001': { reason: 'account_closed', atCheck: true },
  '0002': { reason: 'insufficient_funds', only: 'collection' },
  '0003': { reason: 'name_mismatch', atCheck: true },
  '0004': { reason: 'limit' },
  '0005': { reason: 'cut_off' },
  '0006': { reason: 'liquidity' },
  '0007': { reason: 'account_closed', only: 'payout', returned: true },
};

const NUMBER = /^[A-Za-z0-9 -]{4,40}$/;

function endingOf(number: string) {
  return ENDINGS[number.slice(-4)];
}

export function refusalOf(kind: RequestKind, account: BankAccountDetails): string | undefined {
  if (!NUMBER.test(account.number)) return 'account_not_found';
  const ending = endingOf(account.number);
  if (ending === undefined || ending.returned || (ending.only !== undefined && ending.only !== kind)) return undefined;
  return ending.reason;
}

export function returnOf(kind: RequestKind, account: BankAccountDetails): string | undefined {
  const ending = endingOf(account.number);
  return kind === 'payout' && ending?.returned ? ending.reason : undefined;
}

export function checkAccount(account: BankAccountDetails): AccountCheck {
  if (!NUMBER.test(account.number)) return { ok: false, reason: 'account_not_found' };
  const ending = endingOf(account.number);
  return ending?.atCheck ? { ok: false, reason: ending.reason } : { ok: true };
}
