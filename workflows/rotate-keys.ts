import {
  continueAsNew,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  defineQuery,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities';
import {
  MOST_NAMED,
  ROTATION_QUERY,
  type Rotated,
  type RotatedSome,
  type RotateInput,
  type RotationPlace,
} from '../contracts/keys';

/** A shard that is down is waited for: a rotation that leaves one out would not let the old key go. */
const { rotateSome } = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '1s', maximumInterval: '1 minute' },
});

const BATCHES_A_RUN = 500;

export const rotationQuery = defineQuery<Rotated & { at: RotationPlace }>(ROTATION_QUERY);

/** Goes through every shard in batches, with a pause after each; run again, it finds nothing left to do. */
export async function rotateKeys(input: RotateInput): Promise<Rotated> {
  const { shards, newDataKeys, pauseMs } = input;
  const since = input.since ?? new Date().toISOString();
  const done: Rotated = { resealed: 0, rewrapped: 0, locked: 0, ...input.done };
  let at: RotationPlace | undefined = input.from ?? { shard: 0, part: 'users', after: '' };
  setHandler(rotationQuery, () => ({ ...done, at: at! }));
  for (let batches = 0; at; batches += 1) {
    if (batches >= BATCHES_A_RUN || workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof rotateKeys>({ ...input, since, from: at, done });
    }
    setCurrentDetails(inWords(done, at));
    const some: RotatedSome = await rotateSome({ ...at, newDataKeys, since });
    done.resealed += some.resealed;
    done.rewrapped += some.rewrapped;
    done.locked += some.locked;
    done.broken = (done.broken ?? 0) + (some.broken ?? 0);
    done.left = [...(done.left ?? []), ...(some.left ?? [])].slice(0, MOST_NAMED);
    at = some.after === undefined ? nextPart(at, shards) : { ...at, after: some.after };
    if (at) await sleep(pauseMs);
  }
  setCurrentDetails(inWords(done));
  return done;
}

function nextPart({ shard, part }: RotationPlace, shards: number): RotationPlace | undefined {
  if (part === 'users') return { shard, part: 'keys', after: '' };
  return shard + 1 < shards ? { shard: shard + 1, part: 'users', after: '' } : undefined;
}

function inWords({ resealed, rewrapped, locked, broken = 0, left = [] }: Rotated, at?: RotationPlace): string {
  const counts = `${resealed} sealed anew, ${rewrapped} keys wrapped anew, ${locked} locked, ${broken} broken`;
  const named = left.length > 0 ? `\n- left as it is: ${left.join(', ')}` : '';
  return (at ? `- shard ${at.shard}, ${at.part}: ${counts} so far` : `- done: ${counts}`) + named;
}
