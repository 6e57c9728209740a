import pg from 'pg';
import type { ReplicaHealth } from '../../ledger/replica';
import type { Config } from '../config';
import { table } from '../ops/table';
import type { Screen } from '../ops/screen';
import { placeOf } from '../place';
import { identityBy } from './identity';
import { lookAtReplica, replicaInWords } from './replica';

interface ShardLine {
  shard: number;
  database: string;
  /** Not one of a shard: `unreachable`, or `empty`. */
  state: string;
  headBlock: string | null;
  headAt: string | null;
  movedTo: string | null;
  replica: (ReplicaHealth & { database: string }) | null;
}

/** 0: every shard is in use where the configuration says. */
export async function listShards(
  { shards }: Pick<Config, 'shards'>,
  { json }: { json?: boolean },
  screen: Screen,
): Promise<number> {
  const lines = await Promise.all(
    shards.map(async (each, shard): Promise<ShardLine> => {
      const [line, replica] = await Promise.all([lineOf(shard, each.url), replicaOf(shard, each)]);
      return { ...line, replica };
    }),
  );
  if (json) screen.print(JSON.stringify(lines, null, 2));
  else {
    const head = ['SHARD', 'DATABASE', 'STATE', 'BLOCK', 'AT', 'REPLICA'];
    const rows = lines.map(({ shard, database, state, headBlock, headAt, movedTo, replica }) => [
      ...[`${shard}`, database, movedTo ? `${state} to ${movedTo}` : state, headBlock ?? '', headAt ?? ''],
      replica ? `${replica.database} ${replicaInWords(replica)}` : '',
    ]);
    screen.print(table(head, rows, { right: [0, 3] }));
  }
  return lines.every(({ state }) => state === 'active') ? 0 : 1;
}

async function replicaOf(shard: number, { url, replica }: Config['shards'][number]): Promise<ShardLine['replica']> {
  if (!replica) return null;
  return { database: placeOf(replica.url), ...(await lookAtReplica({ shard, url, replica })) };
}

async function lineOf(shard: number, url: string): Promise<Omit<ShardLine, 'replica'>> {
  const line = {
    shard,
    database: placeOf(url),
    state: 'unreachable',
    headBlock: null,
    headAt: null,
    movedTo: null,
  };
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000, query_timeout: 3_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const found = await identityBy((text) => client.query(text));
    if (!found) return { ...line, state: 'empty' };
    if (found.shard !== shard || found.shardCount < shard) return { ...line, state: `shard ${found.shard}` };
    const { state, movedTo } = found;
    // What is no longer, or not yet, the shard's may not be read.
    if (state === 'moved' || state === 'copy') return { ...line, state, movedTo };
    const { rows } = await client.query<{ block: string; at: Date }>('select block, at from chain_head');
    return { ...line, state, headBlock: rows[0]!.block, headAt: rows[0]!.at.toISOString() };
  } catch {
    return line;
  } finally {
    await client.end().catch(() => {});
  }
}
