import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { USERNAME, type UserId } from '../contracts/ids';
import type { Role } from '../contracts/statuses';
import type { By } from '../ledger/by';
import { Kept } from '../ledger/kept';
import { isPassing, ShardUnavailable } from '../ledger/postgres';
import type { Database } from '../ledger/schema';
import { reachable, type Shard, type Shards } from '../ledger/shards';
import type { Sealer } from '../ledger/seal';
import { idOfKey, isMarkedKey, keyStanding, noteKeyUsed } from '../users/api-keys';
import { identityStanding } from '../users/identities';
import { noteSessionUsed, sessionStanding } from '../users/sessions';
import { userStanding, type Standing } from '../users/standing';
import { Problem, shardUnavailable } from './problems';
import type { Provider, Vouched } from './provider';
import type { Caller, Tokens } from './tokens';
import type { Unproven } from './unproven';

/** What somebody shows to say who they are, and where to find out whether it still holds. */
interface Proof {
  /** What is found out is remembered under this. */
  key: string;
  shard: Shard;
  caller: Pick<Caller, 'sessionId' | 'keyId'>;
  /** Where somebody else says so too: they have at most these. */
  roles?: readonly Role[];
  look(db: Kysely<Database>): Promise<Standing | undefined>;
  noteUsed?(db: Kysely<Database>): Promise<void>;
}

/** What is asked for, and by whom an event that it leaves is told. */
export interface How {
  changes: boolean;
  /** From where. */
  address?: string;
  trace?: (shard: number) => Promise<Partial<By>>;
}

interface Options {
  shards: Shards;
  tokens: Tokens;
  sealer: Pick<Sealer, 'mark'>;
  unproven: Unproven;
  /** Whose tokens are accepted besides our own. */
  provider?: Provider | undefined;
  /** How long what was found out about a caller may be relied on. */
  rememberMs: number;
}

const MAX_REMEMBERED = 20_000;
const LOOK_WITHIN_MS = 3_000;
const NOTE_USED_EVERY_MS = 60_000;

/**
 * Who is calling, as their own shard says. What it said is remembered for some seconds, so that what many requests show
 * is looked up once in a while; who may change more than their own things is looked up each time they do.
 */
export class Callers {
  private readonly remembered = new Map<string, { caller: Caller; until: number }>();
  private readonly looking = new Map<string, Promise<Caller>>();
  /** What was no good once is not looked up again for as long: it won't be any more. */
  private readonly refused: Kept<true>;

  constructor(private readonly options: Options) {
    this.refused = new Kept(MAX_REMEMBERED, options.rememberMs);
  }

  /** Throws for whatever doesn't let anybody in, or no longer does. */
  async identify(shown: string | undefined, how: How): Promise<Caller> {
    const { changes } = how;
    const proof = await this.proofOf(shown, how).catch((cause: unknown) => {
      // Why it failed is of use to nobody who should have a token.
      throw cause instanceof Problem ? cause : noLongerGood();
    });
    if (this.refused.get(proof.key)) throw noLongerGood();
    const known = this.recall(proof.key) ?? this.looking.get(proof.key);
    const caller = await (known ?? this.look(proof, changes));
    const isMore = caller.roles.some((role) => role !== 'customer');
    return known && changes && isMore ? this.look(proof, changes) : caller;
  }

  /** When something was taken from a user, this process knows it at once. */
  forget(userId: UserId): void {
    for (const [key, { caller }] of this.remembered) if (caller.userId === userId) this.remembered.delete(key);
  }

  private async proofOf(shown: string | undefined, { address = '', trace }: How): Promise<Proof> {
    if (shown === undefined) throw new TypeError('This is no token');
    if (shown.startsWith('hf_')) return this.proofOfKey(shown, address);
    const { provider, tokens } = this.options;
    if (provider?.isFor(shown)) return this.proofOfIdentity(shown, await provider.verify(shown), trace);
    return this.proofOfToken(tokens.verify(shown));
  }

  private proofOfToken({ userId, sessionId }: Caller): Proof {
    const shard = this.options.shards.forId(userId);
    if (!shard) throw new TypeError('The token names a user of no shard');
    if (sessionId === undefined) return { key: userId, shard, caller: {}, look: (db) => userStanding(db, userId) };
    return {
      key: sessionId,
      shard,
      caller: { sessionId },
      look: (db) => sessionStanding(db, sessionId),
      noteUsed: (db) => noteSessionUsed(db, sessionId),
    };
  }

  private proofOfKey(key: string, address: string): Proof {
    const { shards, sealer, unproven } = this.options;
    const keyId = idOfKey(key);
    const shard = keyId === undefined ? undefined : shards.forId(keyId);
    if (keyId === undefined || !shard) throw new TypeError('This is no key');
    return {
      key,
      shard,
      caller: { keyId },
      look: (db) => {
        const look = () => keyStanding(db, keyId, key);
        return isMarkedKey(sealer, keyId, key) ? look() : unproven.through(address, look);
      },
      noteUsed: (db) => noteKeyUsed(db, keyId),
    };
  }

  private proofOfIdentity(token: string, { roles, ...identity }: Vouched, trace: How['trace']): Proof {
    if (!USERNAME.test(identity.username)) throw new Problem('unknown_identity');
    const shard = this.options.shards.forUsername(identity.username);
    const look = async () => {
      const standing = await identityStanding(shard, identity, (await trace?.(shard.number)) ?? {});
      if (!standing?.isTheirs) throw new Problem('unknown_identity');
      return standing;
    };
    return { key: token, shard, caller: {}, ...(roles && { roles }), look };
  }

  private recall(key: string): Caller | undefined {
    const known = this.remembered.get(key);
    return known && performance.now() < known.until ? known.caller : undefined;
  }

  private look(proof: Proof, changes: boolean): Promise<Caller> {
    const looking = this.find(proof, changes).finally(() => {
      if (this.looking.get(proof.key) === looking) this.looking.delete(proof.key);
    });
    this.looking.set(proof.key, looking);
    return looking;
  }

  private async find({ key, shard, ...proof }: Proof, changes: boolean): Promise<Caller> {
    const until = performance.now() + this.options.rememberMs;
    const standing = await ask(shard, changes, proof.look);
    if (!standing || standing.status === 'erased') {
      this.refused.set(key, true);
      throw noLongerGood();
    }
    if (standing.status === 'frozen') throw new Problem('user_frozen');
    const { userId, username, scopes, lastUsedAt } = standing;
    const roles = standing.roles.filter((role) => proof.roles?.includes(role) ?? true);
    const caller: Caller = { userId, username, roles, ...(scopes && { scopes }), ...proof.caller };
    if (this.remembered.size >= MAX_REMEMBERED) this.remembered.clear();
    this.remembered.set(key, { caller, until });
    const isNoted = Date.now() - (lastUsedAt?.getTime() ?? 0) < NOTE_USED_EVERY_MS;
    // Nobody waits for it, and it is told again in a while should it fail.
    if (!isNoted) proof.noteUsed?.(shard.db).catch(() => undefined);
    return caller;
  }
}

/** A shard that can't say whether the caller may is no reason to let them. */
async function ask<T>(shard: Shard, changes: boolean, look: (db: Kysely<Database>) => Promise<T>): Promise<T> {
  const late = new AbortController();
  try {
    const { db } = changes ? await reachable(shard) : shard;
    const tooLate = sleep(LOOK_WITHIN_MS, undefined, { signal: late.signal }).then(() => {
      throw new ShardUnavailable(shard.number);
    });
    return await Promise.race([look(db), tooLate]);
  } catch (error) {
    throw isPassing(error) ? shardUnavailable(shard.number, error) : error;
  } finally {
    late.abort();
  }
}

function noLongerGood(): Problem {
  return new Problem('unauthenticated', {
    detail: 'What you sign in with is not valid, or not any more.',
    headers: { 'WWW-Authenticate': 'Bearer realm="holdfast", error="invalid_token"' },
  });
}
