import type { Shard } from '../../ledger/shards';
import { verifySlices, type Finding, type VerifyPlace } from '../../ledger/verify';
import { entryOf, type CheckpointEntry } from './checkpoint';

export interface ShardReport {
  shard: number;
  blocks: number;
  entries: number;
  findings: Finding[];
  /** How far the chain is proven without a finding; where it was before, when there is one. */
  proven: CheckpointEntry | undefined;
}

export interface AuditOptions {
  checkpoint: readonly CheckpointEntry[];
  full: boolean;
  /** After each slice, with what a run that ends now would have proven. */
  onSlice: (report: Readonly<ShardReport>) => void;
}

const MAX_FINDINGS = 1_000;

/** Every shard at once, each in slices of one snapshot, so that posting goes on meanwhile. */
export function verifyAll(shards: readonly Shard[], options: AuditOptions): Promise<ShardReport[]> {
  return Promise.all(shards.map((shard) => verifyOne(shard, options)));
}

async function verifyOne(
  { db, number: shard }: Shard,
  { checkpoint, full, onSlice }: AuditOptions,
): Promise<ShardReport> {
  const known = checkpoint.find((each) => each.shard === shard);
  const report: ShardReport = { shard, blocks: 0, entries: 0, findings: [], proven: known };
  if (known && !(await isStillThere(db, known))) {
    const detail = 'is not there as the checkpoint says: the chain was cut or rewritten';
    report.findings.push({ kind: 'checkpoint', subject: `block ${known.block}`, detail });
    return report;
  }
  const from: VerifyPlace | undefined = full ? undefined : known;
  for await (const { blocks, entries, findings, place } of verifySlices(db, from)) {
    report.blocks += blocks;
    report.entries += entries;
    report.findings.push(...findings.slice(0, MAX_FINDINGS - report.findings.length));
    if (report.findings.length === 0) report.proven = entryOf(shard, place);
    onSlice(report);
  }
  if (report.findings.length > 0) report.proven = known;
  return report;
}

async function isStillThere(db: Shard['db'], { block, hash, at }: CheckpointEntry): Promise<boolean> {
  if (block === '0') return true;
  const row = await db
    .selectFrom('blocks')
    .select(['hash', 'at'])
    .where('number', '=', BigInt(block))
    .executeTakeFirst();
  return row !== undefined && row.hash.toString('hex') === hash && row.at.toISOString() === at;
}
