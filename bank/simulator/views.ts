import { balances } from './account';
import type { Queryable } from './database';
import { latestRequests, type RequestRow } from './requests';

/** A request as people and tests see it: who it is about is nobody's business. */
export interface RequestView {
  reference: string;
  /** Null when it was voided before it came. */
  kind: 'collection' | 'payout' | null;
  state: RequestRow['state'];
  amountMinor: bigint | null;
  currency: string | null;
  accountEnding: string | null;
  reason: string | null;
  settledMinor: bigint | null;
  settlementId: string | null;
  returnId: string | null;
  receivedAt: string;
}

export function requestView(row: RequestRow): RequestView {
  return {
    reference: row.reference,
    kind: row.kind,
    state: row.state,
    amountMinor: row.amount,
    currency: row.currency,
    accountEnding: row.number?.slice(-4) ?? null,
    reason: row.reason,
    settledMinor: row.settled_amount,
    settlementId: row.settlement_id,
    returnId: row.return_id,
    receivedAt: row.received_at.toISOString(),
  };
}

/** What the page shows. */
export async function overview(db: Queryable) {
  const [latest, sums, waiting] = await Promise.all([
    latestRequests(db, 50),
    balances(db),
    db.query<{ count: string }>('select count(*)::text as count from outbox'),
  ]);
  return {
    requests: latest.map(requestView),
    balances: sums,
    eventsWaiting: Number(waiting.rows[0]!.count),
  };
}
