import { openShards } from '../../ledger/shards';
import type { Config } from '../config';
import type { Screen } from '../ops/screen';
import { readCheckpoint, writeCheckpoint } from './checkpoint';
import { verifyAll, type ShardReport } from './verify';

export interface VerifyCommand {
  checkpoint?: string;
  expect?: string;
  full?: boolean;
  json?: boolean;
}

const SAY_EVERY_MS = 2_000;
const log = { info() {}, warn() {}, error() {} };

/** 0: all is proven. 1: some could not be checked. 2: there are findings. */
export async function runVerify(
  config: Pick<Config, 'shards'>,
  command: VerifyCommand,
  screen: Screen,
): Promise<number> {
  const file = command.checkpoint;
  const checkpoint = file === undefined ? [] : readCheckpoint(file, command.expect);
  const shards = openShards({ urls: config.shards.map(({ url }) => url), log, poolSize: 2 });
  const latest = new Map<number, ShardReport>();
  const save = () => {
    if (file === undefined) return undefined;
    // A shard that was not come to yet is proven as far as it was before.
    const proven = shards.all.map(({ number }) => (latest.get(number) ?? known(number))?.proven);
    return writeCheckpoint(
      file,
      proven.filter((each) => each !== undefined),
    );
  };
  const known = (shard: number) => ({ proven: checkpoint.find((each) => each.shard === shard) });
  let saidAt = performance.now();
  const onSlice = (report: ShardReport) => {
    latest.set(report.shard, report);
    if (performance.now() - saidAt < SAY_EVERY_MS) return;
    saidAt = performance.now();
    save();
    const total = [...latest.values()].reduce((sum, { entries }) => sum + entries, 0);
    screen.note(`${total.toLocaleString('en')} entries checked`);
  };
  try {
    const reports = await verifyAll(shards.all, { checkpoint, full: command.full === true, onSlice });
    for (const report of reports) latest.set(report.shard, report);
    const sha256 = save();
    if (command.json)
      screen.print(JSON.stringify({ shards: reports, ...(sha256 && { checkpoint: { file, sha256 } }) }));
    else for (const line of [...reports.flatMap(linesOf), ...checkpointLine(file, sha256)]) screen.print(line);
    if (reports.some(({ findings }) => findings.length > 0)) return 2;
    return reports.some(({ error }) => error !== undefined) ? 1 : 0;
  } finally {
    await shards.close();
  }
}

function linesOf({ shard, blocks, entries, findings, proven, error }: ShardReport): string[] {
  const checked = `shard ${shard}: ${blocks.toLocaleString('en')} blocks and ${entries.toLocaleString('en')} entries checked`;
  const far = error === undefined ? checked : `${checked}, not to its end (${error})`;
  if (findings.length === 0) return [`${far}; proven up to block ${proven?.block ?? 0}`];
  return [
    `${far}; ${findings.length} findings`,
    ...findings.map((each) => `  ${each.kind}: ${each.subject} ${each.detail}`),
  ];
}

function checkpointLine(file: string | undefined, sha256: string | undefined): string[] {
  return sha256 === undefined
    ? []
    : [`checkpoint ${file}, SHA-256 ${sha256}: keep it where no database's owner can write`];
}
