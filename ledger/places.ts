import { sql, type RawBuilder } from 'kysely';

/** A place in a list over all shards, which is in the order of time, then shard, then id. */
export interface Place {
  at: Date;
  shard: number;
  id: string;
}

export interface PlacedPage {
  after: Place | undefined;
  newestFirst: boolean;
  limit: number;
}

/** One shard's part of such a page: `at` must be in whole milliseconds, as places are. */
export function pageOfShard(shard: number, at: RawBuilder<unknown>, id: RawBuilder<unknown>, page: PlacedPage) {
  const { after, newestFirst, limit } = page;
  const way = newestFirst ? sql`desc` : sql`asc`;
  const isAfter = newestFirst ? sql`<` : sql`>`;
  const place = after && sql`(${after.at}::timestamptz, ${after.shard}::integer, ${after.id}::text)`;
  return {
    where: place ? sql`(${at}, ${shard}::integer, ${id}) ${isAfter} ${place}` : sql`true`,
    order: sql`order by ${at} ${way}, ${id} ${way} limit ${limit}`,
  };
}
