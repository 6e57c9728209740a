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

const LOOK_EVERY_MS = 1_000;

/** Starts a rotation, or joins the one under way, and says how far it is until it is done. */
export async function rotateKeys(
  { temporal, shards, secrets }: Pick<Config, 'temporal' | 'shards' | 'secrets'>,
  options: Pick<RotateInput, 'newDataKeys' | 'pauseMs'>,
  say: (line: string) => void,
): Promise<Rotated> {
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
    });
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

function inWords({ resealed, rewrapped, locked }: Rotated): string {
  return `${resealed} rows sealed anew, ${rewrapped} keys wrapped anew, ${locked} locked`;
}
