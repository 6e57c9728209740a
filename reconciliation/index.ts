import type { Rail } from '../bank/rail';
import type { ReconciledPart, ReconciliationPart } from '../contracts/reconciliation';
import type { Shards } from '../ledger/shards';
import type { VerifyPlace } from '../ledger/verify';
import { checkBank, type BankPlace } from './bank';
import type { Batch } from './batch';
import { checkBooks } from './books';
import { checkCrossings, type CrossingsPlace } from './crossings';
import { addFindings, end, find, open } from './rows';

export interface ReconciliationDeps {
  shards: Shards;
  rail: Pick<Rail, 'statement'>;
}

/** Where a part goes on after a failure, as JSON can carry it. */
export interface PartPlace {
  place: unknown;
  checked: number;
}

/** Carries out one part, batch by batch: each batch's findings are kept before `reached` is told how far it has come. */
export async function reconcilePart(
  deps: ReconciliationDeps,
  part: ReconciliationPart,
  { from, reached }: { from?: PartPlace | undefined; reached: (place: PartPlace) => void },
): Promise<ReconciledPart> {
  const { db } = deps.shards.shard(part.shard);
  await open(db, part);
  let checked = from?.checked ?? 0;
  for await (const batch of check(deps, part, from?.place)) {
    checked += batch.checked;
    await addFindings(db, part.id, batch.findings);
    reached({ place: batch.place, checked });
  }
  await end(db, part.id, { status: 'done', checked: BigInt(checked) });
  return (await reconciled(deps, part))!;
}

/** What could not be carried out is said too. */
export async function giveUpPart(deps: ReconciliationDeps, part: ReconciliationPart, error: string): Promise<void> {
  const { db } = deps.shards.shard(part.shard);
  await open(db, part);
  await end(db, part.id, { status: 'failed', checked: 0n, error });
}

function check(deps: ReconciliationDeps, part: ReconciliationPart, place: unknown): AsyncGenerator<Batch<unknown>> {
  switch (part.scope) {
    case 'books':
      return checkBooks(deps.shards.shard(part.shard), place as VerifyPlace | undefined);
    case 'crossings':
      return checkCrossings(deps.shards, place as CrossingsPlace | undefined);
    case 'bank':
      return checkBank(deps, part, place as BankPlace | undefined);
  }
}

async function reconciled({ shards }: ReconciliationDeps, part: ReconciliationPart) {
  const row = await find(shards.shard(part.shard).db, part.id);
  return row && { id: row.id, status: row.status, checked: Number(row.checked), findings: row.findings };
}
