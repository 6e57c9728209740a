import { isPassing, isUnreachable } from '../../ledger/postgres';
import { atLeisure, type Shard } from '../../ledger/shards';
import { verifySlices, type Finding, type VerifyPlace } from '../../ledger/verify';
import { entryOf, type CheckpointEntry } from './checkpoint';

export interface ShardReport {
  shard: number;
  blocks: number;
  entries: number;
  findings: Finding[];
  /** How far the chain is proven without a finding; where it was before, when there is one. */
  proven: CheckpointEntry | undefined;
  /** Why it could not be checked to its end. */
  error?: string;
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

/** One that can't be reached keeps nobody from the others. */
async function verifyOne(shard: Shard, options: AuditOptions): Promise<ShardReport> {
  const { number } = shard;
  const known = options.checkpoint.find((each) => each.shard === number);
  const report: ShardReport = { shard: number, blocks: 0, entries: 0, findings: [], proven: known };
  try {
    await atLeisure(shard, (db) => prove({ db, number }, report, options));
  } catch (error) {
    if (!isPassing(error)) throw error;
    report.error = isUnreachable(error) ? `Shard ${number} is not reachable` : (error as Error).message;
  }
  if (report.findings.length > 0) report.proven = known;
  return report;
}

async function prove(
  { db, number }: Pick<Shard, 'db' | 'number'>,
  report: ShardReport,
  { full, onSlice }: AuditOptions,
): Promise<void> {
  const { proven: known } = report;
  const broken = known && (await breachOf(db, known));
  if (broken) report.findings.push(broken.finding);
  if (broken && !broken.isShort) return;
  const from: VerifyPlace | undefined = full || broken ? undefined : known;
  for await (const { blocks, entries, findings, place } of verifySlices(db, from)) {
    report.blocks += blocks;
    report.entries += entries;
    report.findings.push(...findings.slice(0, MAX_FINDINGS - report.findings.length));
    if (report.findings.length === 0) report.proven = entryOf(number, place);
    onSlice(report);
  }
}

/** What a checkpoint proves of the chain that is there. A restored one may be the same, and end before it. */
async function breachOf(db: Shard['db'], { block, hash, at }: CheckpointEntry) {
  if (block === '0') return undefined;
  const row = await db
    .selectFrom('blocks')
    .select(['hash', 'at'])
    .where('number', '=', BigInt(block))
    .executeTakeFirst();
  if (row !== undefined && row.hash.toString('hex') === hash && row.at.toISOString() === at) return undefined;
  const head = await db.selectFrom('chain_head').select(['block', 'at']).executeTakeFirstOrThrow();
  const missing = BigInt(block) - head.block;
  const isShort = row === undefined && missing > 0n;
  const detail = isShort
    ? `is not there: the chain is ${missing} blocks shorter than the checkpoint, and ends with block ${head.block} of ` +
      `${head.at.toISOString()}. Without another finding here it is whole up to there`
    : 'is not the one of the checkpoint: the chain was rewritten, or went on otherwise after it had been cut or restored';
  return { isShort, finding: { kind: 'checkpoint', subject: `block ${block}`, detail } };
}
