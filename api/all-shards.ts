import { z } from 'zod';
import type { Place, PlacedPage } from '../ledger/places';
import { isPassing } from '../ledger/postgres';
import type { Shard, Shards } from '../ledger/shards';
import { shardUnavailable } from './problems';
import { invalidRequest } from './validate';

interface ListQuery {
  cursor?: string | undefined;
  order: 'oldest' | 'newest';
  limit: number;
}

interface Placed<T> {
  place: Place;
  item: T;
}

/** A page of a list over all shards: each gives its part, in order, and the parts are merged. */
export async function pageOfAllShards<T>(
  shards: Shards,
  query: ListQuery,
  read: (shard: Shard, page: PlacedPage) => Promise<Placed<T>[]>,
): Promise<{ data: T[]; nextCursor: string | null }> {
  const { order, limit } = query;
  const newestFirst = order === 'newest';
  const after = query.cursor === undefined ? undefined : readPlace(query.cursor, order);
  const parts = await onEveryShard(shards, (shard) => read(shard, { after, newestFirst, limit: limit + 1 }));
  // The sort is stable, so each shard's own order stays.
  const merged = parts.flat().sort((one, other) => compare(one.place, other.place) * (newestFirst ? -1 : 1));
  const page = merged.slice(0, limit);
  return {
    data: page.map(({ item }) => item),
    nextCursor: merged.length > limit ? writePlace(page.at(-1)!.place, order) : null,
  };
}

/** All shards or none: a list with a part missing would look complete. */
export function onEveryShard<T>({ all }: Shards, work: (shard: Shard) => Promise<T>): Promise<T[]> {
  return Promise.all(
    all.map((shard) =>
      work(shard).catch((error: unknown) => {
        if (!isPassing(error)) throw error;
        throw shardUnavailable(shard.number, error);
      }),
    ),
  );
}

function compare(one: Place, other: Place): number {
  return one.at.getTime() - other.at.getTime() || one.shard - other.shard;
}

function writePlace({ at, shard, id }: Place, order: string): string {
  return Buffer.from(JSON.stringify([order, at.getTime(), shard, id])).toString('base64url');
}

const place = z.tuple([
  z.string(),
  z.number().int().min(0).max(8.64e15),
  z.number().int().min(0).max(9_999),
  z.string().refine((id) => !id.includes('\u0000') && id.isWellFormed()),
]);

/** A cursor goes on in the order that it was given in. */
function readPlace(cursor: string, order: string): Place {
  const [given, ms, shard, id] = place.safeParse(jsonOf(cursor)).data ?? [];
  if (given !== order) throw invalidRequest([{ field: 'query cursor', message: 'is not one of ours' }]);
  return { at: new Date(ms!), shard: shard!, id: id! };
}

function jsonOf(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
}
