import { z } from 'zod';
import { databaseUrls } from '../settings-values';
import { ConfigError, problemsOf, withoutEmpty, type Env } from '../settings';

/** Where a shard is to be moved. */
export interface MoveTarget {
  url: string;
  ownerUrl: string;
}

const one = () =>
  databaseUrls('is missing: `holdfast shards move` needs to know where to.').refine(
    (urls) => urls.length === 1,
    'must be the URL of one database.',
  );

const schema = z.object({ HOLDFAST_MOVE_TO_URL: one(), HOLDFAST_MOVE_TO_OWNER_URL: one() });

export const MOVE_VARIABLES = Object.keys(schema.shape);

export function loadMoveTarget(env: Env): MoveTarget {
  const parsed = schema.safeParse(withoutEmpty(env));
  if (!parsed.success) throw new ConfigError(problemsOf(parsed.error));
  const { HOLDFAST_MOVE_TO_URL: urls, HOLDFAST_MOVE_TO_OWNER_URL: owners } = parsed.data;
  return { url: urls[0]!, ownerUrl: owners[0]! };
}
