import type { Finding } from './batch';
import type { CrossingRow } from './crossing-rows';

/**
 * A credit, read before its source: what is credited was held before it, and is held still or captured. A source that
 * has moved on since then is no contradiction.
 */
export function weighCredit(credit: CrossingRow, source: CrossingRow | undefined): Finding[] {
  if (credit.status !== 'completed') return [];
  const found = (kind: string, detail: string) => [{ kind, subject: credit.id, detail }];
  if (!source) return found('credit_without_source', 'is credited, and its source’s shard does not know it');
  if (source.hold === null) return found('credit_without_hold', 'is credited, and nothing was held for it');
  if (source.hold === 'released') return found('credit_of_released_hold', 'is credited, and its hold was released');
  if ((source.status === 'completed') !== (source.hold === 'captured')) {
    return found('half_captured', `its source says ${source.status}, and its hold is ${source.hold}`);
  }
  const differences = differencesOf(credit, source);
  if (source.hold_amount !== credit.amount) differences.push(`hold: ${credit.amount} and ${source.hold_amount}`);
  return differences.length > 0 ? found('crossing_differs', differences.join('; ')) : [];
}

/** A captured transfer, read before its target: it was credited before it was captured. */
export function weighCapture(source: CrossingRow, credit: CrossingRow | undefined): Finding[] {
  if (source.status !== 'completed') return [];
  if (credit?.status === 'completed') return [];
  const standing = credit ? `says ${credit.status}` : 'does not know it';
  const detail = `is captured, and its target’s shard ${standing}`;
  return [{ kind: 'capture_without_credit', subject: source.id, detail }];
}

const SAME = ['type', 'from_account', 'to_account', 'amount', 'currency', 'command_hash'] as const;

function differencesOf(credit: CrossingRow, source: CrossingRow): string[] {
  return SAME.filter((column) => credit[column] !== source[column]).map(
    (column) => `${column}: ${credit[column]} on the target’s shard, ${source[column]} on the source’s`,
  );
}
