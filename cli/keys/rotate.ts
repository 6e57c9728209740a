import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import {
  ROTATE_WORKFLOW_ID,
  ROTATE_WORKFLOW_TYPE,
  ROTATION_QUERY,
  type Rotated,
  type RotateInput,
} from '../../contracts/keys';
import { TASK_QUEUE } from '../../contracts/transfers';
import { sealedPayloads } from '../../worker/payload-codec';
import type { Config } from '../config';
import { UserError } from '../user-error';

const LOOK_EVERY_MS = 1_000;

/** Starts a rotation, or joins the one under way, and says how far it is until it is done. */
export async function rotateKeys(
  { temporal, shards, secrets }: Pick<Config, 'temporal' | 'shards' | 'secrets'>,
  options: Pick<RotateInput, 'newDataKeys' | 'pauseMs'>,
  say: (line: string) => void,
): Promise<Rotated> {
  if (!secrets.dataKeys) {
    throw new UserError(
      'HOLDFAST_DATA_KEYS is off: nothing is sealed under data keys yet, so there is nothing to rotate.',
      'Take it away once no process of the release before has to read what is sealed, start every process anew, and rotate then.',
    );
  }
  const connection = await Connection.connect(temporal.connectionOptions);
  try {
    const { workflow } = new Client({
      connection,
      namespace: temporal.namespace,
      dataConverter: sealedPayloads(secrets.payloads),
    });
    const handle = await workflow.start(ROTATE_WORKFLOW_TYPE, {
      workflowId: ROTATE_WORKFLOW_ID,
      workflowIdConflictPolicy: 'USE_EXISTING',
      taskQueue: TASK_QUEUE,
      args: [{ shards: shards.length, ...options } satisfies RotateInput],
      staticSummary: 'Wrap what seals personal data by the newest key',
      memo: { newDataKeys: options.newDataKeys },
    });
    const { memo } = await handle.describe();
    if (options.newDataKeys && memo?.['newDataKeys'] !== true) {
      throw new UserError(
        'A rotation without --data-keys is under way, which gives nobody a new data key.',
        'Wait for its end, as the workflow rotate-keys or this command without --data-keys tells it, and ask again.',
      );
    }
    say('The rotation is under way. Ctrl-C leaves it so; the workflow is rotate-keys.');
    const watching = new AbortController();
    const watched = watch(
      () => handle.query<Rotated & { at: { shard: number } }>(ROTATION_QUERY),
      say,
      watching.signal,
    );
    const done = (await handle.result()) as Rotated;
    watching.abort();
    await watched;
    say(`Done: ${inWords(done)}.`);
    if (done.locked > 0) say('A key that is not given wraps what is locked: see `holdfast keys list`.');
    if (done.left?.length) say(`Left as it is: ${done.left.join(', ')}${isMore(done) ? ' and more' : ''}.`);
    return done;
  } finally {
    await connection.close();
  }
}

async function watch(
  ask: () => Promise<Rotated & { at?: { shard: number } }>,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let last = '';
  while (await sleep(LOOK_EVERY_MS, true, { signal }).catch(() => false)) {
    const found = await ask().catch(() => undefined);
    const line = found?.at ? `shard ${found.at.shard}: ${inWords(found)} so far` : last;
    if (line !== last) say(line);
    last = line;
  }
}

export const isWhole = ({ locked, broken = 0 }: Rotated) => locked + broken === 0;

const isMore = ({ locked, broken = 0, left = [] }: Rotated) => locked + broken > left.length;

function inWords({ resealed, rewrapped, locked, broken = 0 }: Rotated): string {
  return `${resealed} rows sealed anew, ${rewrapped} keys wrapped anew, ${locked} locked, ${broken} broken`;
}
