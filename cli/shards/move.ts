import { randomUUID } from 'node:crypto';
import { migrateCopy, LATEST_MIGRATION } from '../../migrations';
import { activate, beginCopy, fence, markMoved, unfence } from '../../migrations/fence';
import { schemaOf } from '../migrate';
import { placeOf } from '../place';
import { UserError } from '../user-error';
import { proveCopy, refuseDifferent } from './compare';
import { refuseWrongDatabase, type Identity } from './identity';
import { recordMove } from './record-move';
import { makeMonthsOf } from './months';
import {
  hasSlot,
  isSubscribed,
  refuseUnfit,
  subscribe,
  unpublish,
  unsubscribe,
  waitUntilCaughtUp,
  waitUntilClose,
  type Patience,
} from './replication';
import { asOwner, identityIn, takeTurn, type Session } from './session';

export interface Databases {
  url: string;
  ownerUrl: string;
}

export interface Move extends Patience {
  shard: number;
  shardCount: number;
  source: Databases;
  target: Databases;
  /** Is told what comes next, before it is begun. */
  onStep?(step: MoveStep): void | Promise<void>;
}

/** In this order. Until `switch` is done all goes back, and from then on only forward. */
export const MOVE_STEPS = [
  'prepare',
  'copy',
  'prove',
  'fence',
  'compare',
  'detach',
  'switch',
  'activate',
  'record',
] as const;
export type MoveStep = (typeof MOVE_STEPS)[number];

/**
 * Moves a shard to another database. At every moment at most one of the two takes writes, and both say what they are,
 * so that whoever comes next, after whatever end of this, knows how to go on.
 */
export async function moveShard(move: Move): Promise<void> {
  let phase: 'before' | 'moving' | 'moved' = 'before';
  try {
    await asOwner(move.source.ownerUrl, async (source) => {
      await takeTurn(source, move.shard);
      const switched = await switchedTo(move, source);
      phase = switched ? 'moved' : 'moving';
      await asOwner(move.target.ownerUrl, async (target) => {
        const to = switched ?? (await untilSwitched(move, source, target));
        phase = 'moved';
        await finish(move, target, to);
      });
    });
  } catch (error) {
    if (phase === 'before') throw error;
    move.say(`It failed: ${messageOf(error)}`);
    if (phase === 'moving') await abortMove(move).catch(cannotAbort);
    else move.say(`Shard ${move.shard} has moved: run this again, to finish what is left`);
    throw isLockTimeout(error) ? new UserError(HELD_UP, 'See pg_stat_activity there, by xact_start.') : error;
  }
}

/** Leaves the shard as it was before a move that failed or died. What has switched has moved, and can only be finished. */
export async function abortMove(move: Omit<Move, 'onStep'>): Promise<void> {
  const { shard, say } = move;
  await asOwner(move.source.ownerUrl, async (source) => {
    await takeTurn(source, shard);
    const switched = await switchedTo(move, source);
    if (switched) {
      throw new UserError(
        `Shard ${shard} has moved to ${switched.to} already: there is no way back.`,
        'Run `holdfast shards move` again without --abort: it finishes what is left.',
      );
    }
    await takeBack(source);
    say(`Shard ${shard} is in use where it was`);
    try {
      await asOwner(move.target.ownerUrl, async (target) => {
        if (isCopyOf(move, await identityIn(target))) await unsubscribe(target);
      });
    } catch (error) {
      say(`The target could not be cleared up (${messageOf(error)}): drop its database`);
    }
    await unpublish(source);
  });
}

function cannotAbort(cause: unknown): never {
  if (cause instanceof UserError) throw cause;
  throw new UserError(
    `The move could not be taken back: ${messageOf(cause)}.`,
    'Once the servers answer, run it again; or with --abort, which leaves the shard where it was.',
    { cause },
  );
}

async function untilSwitched(move: Move, source: Session, target: Session): Promise<Switched> {
  const { signal, say } = move;
  const to = placeOf(move.target.url);
  const step = async (next: MoveStep) => {
    signal.throwIfAborted();
    await move.onStep?.(next);
  };
  await step('prepare');
  await takeBack(source);
  await refuseUnfit(source, target);
  await refuseWrongTarget(move, target);
  const moveId = await prepare(move, source, target);
  await step('copy');
  if (!(await isSubscribed(target))) await subscribe(source, target, move.source.ownerUrl);
  await waitUntilClose(source, target, move);
  await step('prove');
  say('Proving the copy; the shard is in use meanwhile');
  const proven = await proveCopy(target, signal);
  await waitUntilClose(source, target, move);
  await step('fence');
  const fencedAt = performance.now();
  await fence(source, moveId);
  say('The shard takes no writes from now on');
  await step('compare');
  await waitUntilCaughtUp(source, move);
  await refuseDifferent(source, target, proven);
  await step('detach');
  await unsubscribe(target);
  await unpublish(source);
  await step('switch');
  await markMoved(source, { moveId, to, appRole: roleOf(move.source.url) });
  say(`The copy is the same: it is the shard now, after ${Math.round(performance.now() - fencedAt)} ms without writes`);
  return { moveId, to };
}

/** A copy of this shard that is still fed goes on where it was; anything else begins anew. */
async function prepare(move: Move, source: Session, target: Session): Promise<string> {
  const { shard, shardCount } = move;
  const { url, ownerUrl } = move.target;
  await migrateCopy({ ownerUrl, appRole: roleOf(url), shard, shardCount });
  const copy = await identityIn(target);
  if (copy?.moveId && (await isSubscribed(target)) && (await hasSlot(source))) return copy.moveId;
  await unsubscribe(target);
  await unpublish(source);
  await makeMonthsOf(source, target);
  const moveId = randomUUID();
  await beginCopy(target, moveId);
  return moveId;
}

/** All of it can be done again. */
async function finish(move: Move, target: Session, { moveId, to }: Switched): Promise<void> {
  const { shard, source, say } = move;
  const found = await identityIn(target);
  if (found?.moveId !== moveId) {
    throw new UserError(`Shard ${shard} has moved to ${to}, and that is not the database given now.`);
  }
  await move.onStep?.('activate');
  if (found.state === 'copy') await activate(target, { moveId, appRole: roleOf(move.target.url) });
  await move.onStep?.('record');
  await recordMove({ shard, url: move.target.url, moveId, from: placeOf(source.url), to });
  say(`Shard ${shard} is at ${to}: start every process again with that in HOLDFAST_DATABASE_URLS`);
}

interface Switched {
  moveId: string;
  to: string;
}

/** Undefined while the shard is still here. */
async function switchedTo(move: Omit<Move, 'onStep'>, source: Session): Promise<Switched | undefined> {
  const { shard, shardCount, url } = { ...move, url: move.source.url };
  const found = await identityIn(source);
  if (found === undefined) throw new UserError(`The database ${placeOf(url)} is no shard.`);
  if (found.state === 'moved' && found.shard === shard) return { moveId: found.moveId!, to: found.movedTo! };
  refuseWrongDatabase({ shard, shardCount, url }, found);
  return undefined;
}

async function takeBack(source: Session): Promise<void> {
  if ((await identityIn(source))!.state === 'fenced') await unfence(source);
}

/** Nothing is ever written over: a database is taken that is empty, or that an earlier move has left as a copy. */
async function refuseWrongTarget(move: Move, target: Session): Promise<void> {
  const { pending, unknown } = await schemaOf(move.source.ownerUrl);
  if (pending.length + unknown.length > 0) {
    throw new UserError(
      `The shard's database is not at ${LATEST_MIGRATION}, as this Holdfast is.`,
      'Run `holdfast migrate`, or the version of Holdfast that belongs to it.',
    );
  }
  const found = await identityIn(target);
  if (isCopyOf(move, found) || (found === undefined && (await isNobodys(target)))) return;
  const what = found ? `is shard ${found.shard} of ${found.shardCount} (${found.state})` : 'is not empty';
  throw new UserError(`The target ${placeOf(move.target.url)} ${what}.`, 'Give an empty database.');
}

function isCopyOf({ shard, shardCount }: Omit<Move, 'onStep'>, found: Identity | undefined): boolean {
  return found?.state === 'copy' && found.shard === shard && found.shardCount === shardCount;
}

/** Empty, or with tables that nobody got to use. */
async function isNobodys(target: Session): Promise<boolean> {
  const tables = await target.introspection.getTables();
  return tables.length === 0 || tables.some(({ name }) => name === 'shard_identity');
}

const HELD_UP = "A transaction that is open on the shard's server has held up the move for too long.";
const isLockTimeout = (error: unknown) => (error as { code?: string }).code === '55P03';
const roleOf = (url: string) => decodeURIComponent(new URL(url).username);
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
