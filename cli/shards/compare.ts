import { isDeepStrictEqual } from 'node:util';
import { sql } from 'kysely';
import { verifySlices, type VerifyPlace } from '../../ledger/verify';
import { shardTables } from '../../migrations/fence';
import { UserError } from '../user-error';
import { identityIn, type Session } from './session';

/** Nobody can change their rows, and the chain of hashes proves them: counting is enough. */
const APPEND_ONLY = new Set(['blocks', 'decisions', 'entries', 'events', 'steps']);

/** Proves the copy from its own rows while the shard is in use, and answers how far its chain is proven. */
export async function proveCopy(target: Session, signal: AbortSignal): Promise<VerifyPlace> {
  await sql`analyze`.execute(target);
  let proven: VerifyPlace | undefined;
  for await (const { findings, place } of verifySlices(target)) {
    signal.throwIfAborted();
    refuse(findings);
    proven = { block: place.block, hash: place.hash, at: place.at };
  }
  return proven!;
}

/** What must be so before the shard is anywhere else: every table the same, and the same chain, proven to its head. */
export async function refuseDifferent(source: Session, target: Session, proven: VerifyPlace): Promise<void> {
  const [ours, theirs] = await Promise.all([factsOf(source), factsOf(target)]);
  for (const [what, ourValue] of ours) {
    if (isDeepStrictEqual(ourValue, theirs.get(what))) continue;
    throw new UserError(
      `The copy differs from the shard in ${what}.`,
      `The shard has ${ourValue}, the copy ${theirs.get(what) ?? 'nothing'}. Has somebody written to the copy?`,
    );
  }
  for await (const { findings, place } of verifySlices(target, proven)) {
    refuse(findings);
    // The accounts are compared above; here it is the blocks since.
    if (place.account !== undefined) return;
  }
}

async function factsOf(session: Session): Promise<Map<string, string>> {
  const facts = new Map<string, string>();
  const identity = await identityIn(session);
  facts.set('its number', `${identity?.shard} of ${identity?.shardCount}`);
  const migrations = await sql<{ names: string }>`
    select string_agg(name, ' ' order by name) as names from kysely_migration`.execute(session);
  facts.set('its migrations', migrations.rows[0]!.names);
  const head = await session.selectFrom('chain_head').selectAll().executeTakeFirstOrThrow();
  facts.set('the head of its chain', `block ${head.block} ${head.hash.toString('hex')}`);
  for (const table of await shardTables(session)) {
    const digest = APPEND_ONLY.has(table)
      ? sql`0`
      : sql`coalesce(bit_xor(('x' || left(md5(t::text), 16))::bit(64)::bigint), 0)`;
    const { rows } = await sql<{ rows: bigint; digest: bigint }>`
      select count(*) as rows, ${digest}::bigint as digest from ${sql.id(table)} t`.execute(session);
    facts.set(`the table ${table}`, `${rows[0]!.rows} rows (${rows[0]!.digest})`);
  }
  return facts;
}

function refuse(findings: readonly { kind: string; subject: string; detail: string }[]): void {
  const [first] = findings;
  if (!first) return;
  throw new UserError(
    `The copy does not prove itself: ${first.kind}: ${first.subject} ${first.detail}.`,
    'Is it so on the shard itself? `holdfast audit verify` says.',
  );
}
