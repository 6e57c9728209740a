import { randomBytes } from 'node:crypto';
import type { AccountId } from '../contracts/ids';
import type { Command } from '../ledger/commands';
import { base32 } from '../ledger/identity';
import { Poster } from '../ledger/poster';
import { answerJobs } from './child';
import { percentile } from './stats';

export interface PosterJob {
  url: string;
  accounts: AccountId[];
  batch: number;
  /** Goes on until this much time was spent posting, or so many transfers were posted. */
  until: { warmUpMs: number; runMs: number } | { transfers: number };
}

export interface PosterResult {
  /** Transfers a second. */
  rate: number;
  /** Of a post, which is one commit. */
  p50: number;
  p99: number;
}

const silent = { info() {}, warn() {}, error() {} };

/** One post after the other, as the lane's worker posts groups. Making up the commands isn't in the time. */
async function run({ url, accounts, batch, until }: PosterJob): Promise<PosterResult> {
  const poster = new Poster({ shard: 0, url, log: silent });
  const latencies: number[] = [];
  let spentMs = 0;
  let posted = 0;
  const warmUpMs = 'warmUpMs' in until ? until.warmUpMs : 0;
  const more = () => ('transfers' in until ? posted < until.transfers : spentMs < warmUpMs + until.runMs);
  try {
    while (more()) {
      const commands = Array.from({ length: batch }, () => randomTransfer(accounts));
      const began = performance.now();
      const outcomes = await poster.post(commands);
      const took = performance.now() - began;
      const failed = outcomes.find((each) => each.kind !== 'transaction' || each.status !== 'completed');
      if (failed) throw new Error(`A transfer was not completed: ${JSON.stringify(failed)}`);
      if (spentMs >= warmUpMs) latencies.push(took);
      spentMs += took;
      posted += batch;
    }
  } finally {
    await poster.close();
  }
  const rate = (batch * latencies.length * 1000) / latencies.reduce((sum, took) => sum + took, 0);
  return { rate, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

function randomTransfer(accounts: AccountId[]): Command {
  const from = Math.floor(Math.random() * accounts.length);
  const to = (from + 1 + Math.floor(Math.random() * (accounts.length - 1))) % accounts.length;
  const random = randomBytes(48);
  return {
    kind: 'transfer',
    facts: {
      id: `tx_0_${base32(random.subarray(0, 16))}`,
      type: 'transfer',
      actorId: 'us_0_bench',
      hash: random.toString('base64url', 16),
      from: accounts[from]!,
      to: accounts[to]!,
      amountMinor: BigInt(100 + random[0]!),
      currency: 'SGD',
    },
  };
}

answerJobs<PosterJob, PosterResult>(run);
