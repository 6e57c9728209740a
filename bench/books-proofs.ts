import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { partsOf } from '../contracts/reconciliation';
import { openShards, type Shards } from '../ledger/shards';
import { verifyShard } from '../ledger/verify';
import { reconcilePart } from '../reconciliation';
import { grid } from './report';

export interface Proof {
  what: string;
  entries: number;
  seconds: number;
  findings: number;
}

/** How much a transfer takes of the disk, tables and indexes, once it is vacuumed. */
export interface Size {
  table: string;
  bytesEach: number;
}

const silent = { info() {}, warn() {}, error() {} };
const noBank = { statement: () => Promise.reject(new Error('no bank is asked here')) };

/** How long it takes to prove these books: by the chain alone, and as reconciliation does, which keeps what it finds. */
export async function measureProofs(url: string): Promise<Proof[]> {
  const shards = openShards({ urls: [url], log: silent, poolSize: 2 });
  try {
    const verified = await timed(async () => verifyShard(shards.shard(0).db));
    const { entries } = verified.result;
    const reconciled = await timed(() => reconcile(shards));
    return [
      { what: 'the chain verified', entries, seconds: verified.seconds, findings: verified.result.findings.length },
      { what: 'the shard reconciled', entries, seconds: reconciled.seconds, findings: reconciled.result.findings },
    ];
  } finally {
    await shards.close();
  }
}

function reconcile(shards: Shards) {
  const [books] = partsOf(randomUUID(), { shards: 1, youngMs: 0 }, Date.now());
  return reconcilePart({ shards, rail: noBank }, books!, { reached: () => undefined });
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const began = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - began) / 1000 };
}

export async function measureSizes(ownerUrl: string): Promise<Size[]> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    const { rows } = await client.query<Size>(`
      select parent as table, (sum(pg_total_relation_size(oid)) / (select count(*) from transactions))::float8 as "bytesEach"
      from (select c.oid, coalesce(i.inhparent::regclass, c.oid::regclass)::text as parent from pg_class c
        left join pg_inherits i on i.inhrelid = c.oid
        where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace) tables
      group by parent having sum(pg_total_relation_size(oid)) > 1000000 order by 2 desc`);
    return rows;
  } finally {
    await client.end();
  }
}

export function sizesTable(sizes: readonly Size[]): string {
  const total = sizes.reduce((sum, { bytesEach }) => sum + bytesEach, 0);
  const rows = [...sizes, { table: 'all', bytesEach: total }].map((size) => [size.table, size.bytesEach.toFixed(0)]);
  return grid(['table', 'bytes a transfer'], rows);
}

export function proofsTable(proofs: readonly Proof[]): string {
  const rows = proofs.map(({ what, entries, seconds, findings }) => {
    const rate = Math.round(entries / seconds).toLocaleString('en');
    return [what, entries.toLocaleString('en'), seconds.toFixed(1), rate, findings];
  });
  return grid(['', 'entries', 'seconds', 'entries a second', 'findings'], rows);
}
