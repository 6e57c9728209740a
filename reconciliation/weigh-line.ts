import type { StatementLine } from '../bank/rail';
import type { BankRequest } from '../payments/requests';
import type { Finding } from './batch';

/** What we know of a line of the bank's statement. */
export interface OurSide {
  /** What we asked for under the line's reference. */
  request: BankRequest | undefined;
  /** What `@bank` says moved there for its transaction; positive: to us. */
  bookedMinor: bigint;
  /** And for the reversal of its transaction. */
  reversedMinor: bigint;
}

/** One line of the bank's statement against our books. What is young may still be on its way to us. */
export function weighLine(line: StatementLine, ours: OurSide, isYoung: boolean): Finding | undefined {
  const found = (kind: string, detail: string): Finding => ({
    kind,
    subject: line.reference ?? line.settlementId,
    detail: `${line.kind} ${line.settlementId} of ${line.amountMinor} ${line.currency}: ${detail}`,
  });
  const { request, bookedMinor, reversedMinor } = ours;
  if (line.kind !== 'credit' && !request) return found('theirs_only', 'we never asked for it');
  if (isSecondSettlement(line, request)) return found('settled_twice', `we know of ${request!.settlement_id}`);
  const isUndone = request?.state === 'returned' && bookedMinor === 0n;
  const booked = line.kind === 'return' ? reversedMinor : bookedMinor;
  if (booked === line.amountMinor || isUndone) return undefined;
  if (booked !== 0n) return found('amounts_differ', `we booked ${booked}`);
  return isYoung ? undefined : found('theirs_only', `not booked; our request is ${request?.state ?? 'none'}`);
}

function isSecondSettlement({ kind, settlementId }: StatementLine, request: BankRequest | undefined): boolean {
  if (kind === 'return' || request?.settlement_id == null) return false;
  return request.settlement_id !== settlementId;
}
