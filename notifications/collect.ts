import { sql, type Kysely, type Transaction } from 'kysely';
import type { Database } from '../ledger/schema';
import type { Shard } from '../ledger/shards';
import type { Channel } from './channels';
import { noticesOf, OPS_EVENTS, USER_EVENTS, type Happened } from './notices';

const CURSOR = 'notifications';
/** What one transaction reads at most, so that catching up after a long time away never holds much. */
const BLOCKS_AT_ONCE = 1_000;
const EVENTS_AT_ONCE = 5_000;
const INBOX_AT_ONCE = 500;

interface Step {
  collected: number;
  atHead: boolean;
}

/**
 * Writes down whom to tell what, from the events since the last time: the notices and how far the chain was read are one
 * commit, so that nothing is missed or told twice, whoever else does the same at the same time.
 */
export async function collect(
  { number: shard, db }: Shard,
  channels: readonly Channel[],
  goesOn: () => boolean,
): Promise<number> {
  let collected = await collectInbox(db, shard, channels);
  let step: Step;
  do {
    step = await db.transaction().execute((trx) => collectStep(trx, shard, channels));
    collected += step.collected;
  } while (!step.atHead && goesOn());
  return collected;
}

async function collectStep(trx: Transaction<Database>, shard: number, channels: readonly Channel[]): Promise<Step> {
  const from = await lockCursor(trx);
  if (from === undefined) return { collected: 0, atHead: true };
  const { blocks, atHead } = await nextBlocks(trx, from);
  if (!blocks) return { collected: 0, atHead };
  const { rows } = await eventsQuery(blocks, channels).execute(trx);
  const collected = await writeNotices(trx, rowsOf(shard, channels, rows));
  await trx.updateTable('cursors').set({ block: blocks.last.number }).where('name', '=', CURSOR).execute();
  return { collected, atHead };
}

/** A new cursor starts at the head: what happened before anybody wanted to be told is no news. */
async function lockCursor(trx: Transaction<Database>): Promise<bigint | undefined> {
  const cursor = await trx
    .selectFrom('cursors')
    .select('block')
    .where('name', '=', CURSOR)
    .forUpdate()
    .executeTakeFirst();
  if (cursor) return cursor.block;
  await sql`insert into cursors (name, block) select ${CURSOR}, block from chain_head on conflict do nothing`.execute(
    trx,
  );
  return undefined;
}

interface Block {
  number: bigint;
  at: Date;
}

/** The first and the last of some blocks. */
interface Blocks {
  first: Block;
  last: Block;
}

/** As many whole blocks as hold a bounded number of events, and always one, unless there is none. */
async function nextBlocks(
  trx: Transaction<Database>,
  from: bigint,
): Promise<{ blocks: Blocks | undefined; atHead: boolean }> {
  const blocks = await trx
    .selectFrom('blocks')
    .select(['number', 'at', 'events'])
    .where('number', '>', from)
    .orderBy('number')
    .limit(BLOCKS_AT_ONCE)
    .execute();
  const [first] = blocks;
  if (!first) return { blocks: undefined, atHead: true };
  let events = first.events;
  let last = first;
  for (const block of blocks.slice(1)) {
    events += block.events;
    if (events > EVENTS_AT_ONCE) return { blocks: { first, last }, atHead: false };
    last = block;
  }
  return { blocks: { first, last }, atHead: blocks.length < BLOCKS_AT_ONCE };
}

export interface ChainEvent extends Happened {
  block: bigint;
  index: number;
  at: Date;
  transactionId: string;
}

/** One range of the events' primary key, in the months of these blocks; of what nobody is told of, only the key is looked at. */
export function eventsQuery({ first, last }: Blocks, channels: readonly Channel[]) {
  return sql<ChainEvent>`
    select e.block, e.index, e.at, e.kind as event, t.id as "transactionId", t.type, t.reason,
           payer.owner_id as "payerId", payee.owner_id as "payeeId",
           exists (select from holds h where h.transaction_id = t.id and h.status = 'released') as released
    from events e
    join transactions t on t.id = e.subject_id
    left join accounts payer on payer.id = t.from_account
    left join accounts payee on payee.id = t.to_account
    where e.block >= ${first.number} and e.block <= ${last.number} and e.at >= ${first.at} and e.at <= ${last.at}
      and e.kind = any(${notedEvents(channels)})`;
}

/** Where no channel reaches users, what moves their money is not even read. */
function notedEvents(channels: readonly Channel[]): string[] {
  const reached = new Set(channels.flatMap(({ reaches }) => reaches));
  return [...(reached.has('ops') ? OPS_EVENTS : []), ...(reached.has('user') ? USER_EVENTS : [])];
}

interface NewRow {
  id: string;
  transactionId: string;
  kind: string;
  channel: string;
  recipientId: string | null;
  at: Date;
}

function rowsOf(shard: number, channels: readonly Channel[], events: ChainEvent[]): NewRow[] {
  return events.flatMap((event) =>
    noticesOf(event).flatMap(({ kind, recipientId }) =>
      channelsFor(recipientId === null ? 'ops' : 'user', channels).map((channel) => ({
        // Says where it comes from: collected again, it is the same row.
        id: `${shard}.${event.block}.${event.index}.${channel}.${recipientId ?? 'ops'}`,
        transactionId: event.transactionId,
        kind,
        channel,
        recipientId,
        at: event.at,
      })),
    ),
  );
}

function channelsFor(audience: 'ops' | 'user', channels: readonly Channel[]): string[] {
  return channels.filter(({ reaches }) => reaches.includes(audience)).map(({ name }) => name);
}

async function writeNotices(trx: Transaction<Database>, rows: NewRow[]): Promise<number> {
  if (rows.length === 0) return 0;
  const column = <Name extends keyof NewRow>(name: Name) => rows.map((row) => row[name]);
  const { numAffectedRows } = await sql`
    insert into notifications (id, transaction_id, kind, channel, recipient_id, created_at)
    select * from unnest(${column('id')}::text[], ${column('transactionId')}::text[], ${column('kind')}::text[],
                         ${column('channel')}::text[], ${column('recipientId')}::text[], ${column('at')}::timestamptz[])
    on conflict do nothing`.execute(trx);
  return Number(numAffectedRows ?? 0);
}

/** What the bank told us and nobody could place, once of each. Of money in suspense the books themselves tell. */
async function collectInbox(db: Kysely<Database>, shard: number, channels: readonly Channel[]): Promise<number> {
  const names = channelsFor('ops', channels);
  // The bank chooses its event ids; a hash of one fits into every header.
  const { numAffectedRows } = await sql`
    insert into notifications (id, transaction_id, kind, channel)
    select id, event_id, 'bank_event', channel
    from bank_inbox cross join unnest(${names}::text[]) as channel
      cross join lateral (
        select concat_ws('.', ${shard}::int, encode(sha256(convert_to(event_id, 'UTF8')), 'hex'), channel, 'ops') as id
      ) as named
    where status = 'needs_attention' and reason is distinct from 'in_suspense'
      and not exists (select from notifications n where n.id = named.id)
    order by received_at limit ${INBOX_AT_ONCE}
    on conflict do nothing`.execute(db);
  return Number(numAffectedRows ?? 0);
}
