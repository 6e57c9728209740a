import { shardOfId } from '../contracts/ids';
import type { Shards } from '../ledger/shards';
import type { Batch, Finding } from './batch';
import { clearingAt, crossingPage, crossingsById, type CrossingRow, type Side } from './crossing-rows';
import { weighCapture, weighCredit } from './weigh-crossing';

/** How far a check of all shards against each other has come, as JSON can carry it. */
export interface CrossingsPlace {
  /** Each shard's last block when the check began: what `@clearing` is held against. */
  blocks: string[];
  /** First every shard's credits, then every shard's tries. */
  leg: number;
  after: { block: string; index: number };
  /** By currency: what `@clearing` over all shards has to sum to at those blocks. */
  clearing: Record<string, string>;
}

const BEGINNING = { block: '0', index: -1 };

/**
 * Transfers between shards, one by one, each held against its other side. The side that can only follow the other is
 * read first, so what happens in between makes no false alarm, and no snapshot over shards is needed.
 */
export async function* checkCrossings(shards: Shards, from?: CrossingsPlace): AsyncGenerator<Batch<CrossingsPlace>> {
  let place = from ?? (await begin(shards));
  while (place.leg < shards.count * 2) {
    const batch = await checkPage(shards, place);
    yield batch;
    place = batch.place;
  }
  yield { place, checked: 0, findings: await checkClearing(shards, place) };
}

async function begin(shards: Shards): Promise<CrossingsPlace> {
  const heads = await Promise.all(
    shards.all.map(({ db }) => db.selectFrom('chain_head').select('block').executeTakeFirstOrThrow()),
  );
  return { blocks: heads.map(({ block }) => block.toString()), leg: 0, after: BEGINNING, clearing: {} };
}

async function checkPage(shards: Shards, place: CrossingsPlace): Promise<Batch<CrossingsPlace>> {
  const side: Side = place.leg < shards.count ? 'credits' : 'tries';
  const number = place.leg % shards.count;
  const after = { block: BigInt(place.after.block), index: place.after.index };
  const page = await crossingPage(shards.shard(number).db, { side, after, upTo: BigInt(place.blocks[number]!) });
  const last = page.at(-1);
  if (!last) return { place: { ...place, leg: place.leg + 1, after: BEGINNING }, checked: 0, findings: [] };

  const others = await otherSides(shards, page, side);
  const findings: Finding[] = [];
  const clearing = new Map(Object.entries(place.clearing).map(([currency, sum]) => [currency, BigInt(sum)]));
  for (const row of page) {
    const other = others.get(row.id);
    findings.push(...(side === 'credits' ? weighCredit(row, other) : weighCapture(row, other)));
    const inFlight = inFlightAt(place, side, row, other);
    clearing.set(row.currency, (clearing.get(row.currency) ?? 0n) + inFlight);
  }
  return {
    place: {
      ...place,
      after: { block: last.created_block.toString(), index: last.created_index },
      clearing: Object.fromEntries([...clearing].map(([currency, sum]) => [currency, sum.toString()])),
    },
    checked: page.length,
    findings,
  };
}

async function otherSides(shards: Shards, page: CrossingRow[], side: Side): Promise<Map<string, CrossingRow>> {
  const byShard = new Map<number, string[]>();
  for (const row of page) {
    const shard = shardOfId(side === 'credits' ? row.from_account : row.to_account);
    if (shard === undefined || shard >= shards.count) continue;
    byShard.set(shard, [...(byShard.get(shard) ?? []), row.id]);
  }
  const other: Side = side === 'credits' ? 'tries' : 'credits';
  const found = await Promise.all(
    [...byShard].map(([shard, ids]) => crossingsById(shards.shard(shard).db, { side: other, ids })),
  );
  return new Map(found.flatMap((each) => [...each]));
}

/** Credited by then and not yet captured: below zero. Captured by then, and credited only after: above. */
function inFlightAt(place: CrossingsPlace, side: Side, row: CrossingRow, other: CrossingRow | undefined): bigint {
  const isDone = isDoneAt(place, side, row);
  const isOtherDone = other !== undefined && isDoneAt(place, side === 'credits' ? 'tries' : 'credits', other);
  if (!isDone || isOtherDone) return 0n;
  if (side === 'credits') return -row.amount;
  return other?.status === 'completed' ? row.amount : 0n;
}

function isDoneAt({ blocks }: CrossingsPlace, side: Side, row: CrossingRow): boolean {
  const shard = shardOfId(side === 'credits' ? row.to_account : row.from_account)!;
  return row.status === 'completed' && row.final_block! <= BigInt(blocks[shard]!);
}

async function checkClearing(shards: Shards, { blocks, clearing }: CrossingsPlace): Promise<Finding[]> {
  const rows = await Promise.all(shards.all.map(({ number, db }) => clearingAt(db, BigInt(blocks[number]!))));
  const sums = new Map<string, bigint>();
  for (const { currency, balance } of rows.flat()) sums.set(currency, (sums.get(currency) ?? 0n) + balance);
  return [...new Set([...sums.keys(), ...Object.keys(clearing)])].flatMap((currency) => {
    const [sum, inFlight] = [sums.get(currency) ?? 0n, BigInt(clearing[currency] ?? 0)];
    if (sum === inFlight) return [];
    const detail = `sums to ${sum} over all shards, what is in flight to ${inFlight}`;
    return [{ kind: 'clearing', subject: `@clearing.${currency}`, detail }];
  });
}
