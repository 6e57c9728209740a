import { sql, type Kysely, type Selectable, type Transaction } from 'kysely';
import { TRANSACTION_STATUSES, WALLET_STATUSES } from '../contracts/statuses';
import { DECISION_EVENT_KINDS, eventOfDecision } from './books';
import { withoutTrace } from './by';
import { blockHash, GENESIS_HASH } from './chain';
import type { Database } from './schema';
import { checkLimits } from './verify-limits';
import { checkApiKeys, checkUsers } from './verify-users';

export interface Finding {
  kind: string;
  /** The block, transaction or account that is wrong. */
  subject: string;
  detail: string;
}

export type Found = (kind: string, subject: string, detail: string) => void;

export interface Verification {
  blocks: number;
  entries: number;
  findings: Finding[];
}

type Block = Selectable<Database['blocks']>;
type Entry = Selectable<Database['entries']>;
type Event = Selectable<Database['events']>;
type BooksTransaction = Selectable<Database['transactions']>;

interface Content {
  transactions: BooksTransaction[];
  entries: Entry[];
  events: Event[];
}

const ROWS_AT_ONCE = 10_000;
const MAX_FINDINGS = 1_000;
const DECISION_EVENTS: ReadonlySet<string> = new Set(DECISION_EVENT_KINDS);

/** How far a verification has come, as JSON can carry it: the last block, then the last account, user and API key. */
export interface VerifyPlace {
  block: string;
  hash: string;
  at: string;
  /** Each is set once all before it is done. */
  account?: string;
  user?: string;
  apiKey?: string;
}

export interface VerifiedSlice extends Verification {
  place: VerifyPlace;
  isLast: boolean;
}

const START: VerifyPlace = { block: '0', hash: GENESIS_HASH.toString('hex'), at: new Date(0).toISOString() };

/** All of a shard's books, and of a shard that is wrong all over only the first thousand findings. */
export async function verifyShard(db: Kysely<Database>): Promise<Verification> {
  const result: Verification = { blocks: 0, entries: 0, findings: [] };
  for await (const { blocks, entries, findings } of verifySlices(db)) {
    result.blocks += blocks;
    result.entries += entries;
    result.findings.push(...findings.slice(0, MAX_FINDINGS - result.findings.length));
  }
  return result;
}

/**
 * Proves a shard's books from their rows alone, slice by slice. What a slice is held against is read in the slice's own
 * snapshot, so posting may go on meanwhile, no snapshot is old, and memory holds some ten thousand rows at a time.
 */
export async function* verifySlices(db: Kysely<Database>, from: VerifyPlace = START): AsyncGenerator<VerifiedSlice> {
  for (let place = from; ;) {
    const slice = await db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute((books) => new Verifier(books, place).next());
    yield slice;
    if (slice.isLast) return;
    place = slice.place;
  }
}

class Verifier {
  private readonly result: Verification = { blocks: 0, entries: 0, findings: [] };
  private last: Pick<Block, 'number' | 'hash' | 'at'>;
  private readonly found: Found = (kind, subject, detail) => this.result.findings.push({ kind, subject, detail });

  constructor(
    private readonly books: Transaction<Database>,
    private readonly from: VerifyPlace,
  ) {
    this.last = { number: BigInt(from.block), hash: Buffer.from(from.hash, 'hex'), at: new Date(from.at) };
  }

  async next(): Promise<VerifiedSlice> {
    const rest = await this.nextRows();
    const { number, hash, at } = this.last;
    const place = { block: `${number}`, hash: hash.toString('hex'), at: at.toISOString(), ...rest };
    return { ...this.result, isLast: rest === undefined, place };
  }

  /** The place after the blocks; undefined at the end of everything. */
  private async nextRows(): Promise<Pick<VerifyPlace, 'account' | 'user' | 'apiKey'> | undefined> {
    const { account, user, apiKey } = this.from;
    if (account === undefined) return (await this.nextSlice()) ? {} : { account: '' };
    if (user === undefined) {
      const last = await this.checkAccounts(account);
      return last === undefined ? { account, user: '' } : { account: last };
    }
    const { found } = this;
    if (apiKey === undefined) {
      const last = await checkUsers(this.books, user, found);
      return last === undefined ? { account, user, apiKey: '' } : { account, user: last };
    }
    const last = await checkApiKeys(this.books, apiKey, found);
    return last === undefined ? undefined : { account, user, apiKey: last };
  }

  /** Whether there were blocks left. */
  private async nextSlice(): Promise<boolean> {
    const after = this.last.number === 0n ? -1n : this.last.number;
    const blocks = await this.nextBlocks(after);
    // Rows that name a block which isn't there are met too: each slice begins where the last one ended.
    const upTo = blocks.at(-1)?.number ?? 2n ** 63n - 1n;
    await this.checkSlice(blocks, after, upTo);
    if (blocks.length > 0) return true;
    const head = await this.books.selectFrom('chain_head').selectAll().executeTakeFirstOrThrow();
    if (head.block !== this.last.number || !head.hash.equals(this.last.hash)) {
      this.found('head', 'chain_head', `is at block ${head.block}, the last block is ${this.last.number}`);
    }
    return false;
  }

  /** As many blocks as have few enough rows. */
  private async nextBlocks(after: bigint): Promise<Block[]> {
    const blocks = await this.books
      .selectFrom('blocks')
      .selectAll()
      .where('number', '>', after)
      .orderBy('number')
      .limit(500)
      .execute();
    let rows = 0;
    const end = blocks.findIndex((block) => (rows += block.entries + block.events) > ROWS_AT_ONCE);
    return end === -1 ? blocks : blocks.slice(0, Math.max(end, 1));
  }

  private async checkSlice(blocks: Block[], after: bigint, upTo: bigint): Promise<void> {
    // In every month: a row whose time was changed must not hide in one that a range of time would leave out.
    const rowsOf = (table: 'entries' | 'events') =>
      this.books
        .selectFrom(table)
        .selectAll()
        .where('block', '>', after)
        .where('block', '<=', upTo)
        .orderBy('block')
        .orderBy('index');
    const entries = (await rowsOf('entries').execute()) as Entry[];
    const events = (await rowsOf('events').execute()) as Event[];
    const transactions = await this.books
      .selectFrom('transactions')
      .selectAll()
      .where('created_block', '>', after)
      .where('created_block', '<=', upTo)
      .orderBy('created_block')
      .orderBy('created_index')
      .execute();

    const contents = new Map<bigint, Content>();
    const contentOf = (block: bigint) => {
      const content = contents.get(block) ?? { transactions: [], entries: [], events: [] };
      contents.set(block, content);
      return content;
    };
    for (const row of transactions) contentOf(row.created_block).transactions.push(row);
    for (const row of entries) contentOf(row.block).entries.push(row);
    for (const row of events) contentOf(row.block).events.push(row);
    for (const block of blocks) {
      this.checkBlock(block, contentOf(block.number));
      contents.delete(block.number);
    }
    for (const stray of contents.keys()) this.found('stray', `block ${stray}`, 'rows name it, but it is not there');

    await this.checkRunningBalances(entries, after);
    await this.checkMoves(entries, transactions);
    await this.checkTransactions(after, upTo, earlierOnes(events, transactions));
    await this.checkDecisions(events, after, upTo);
    this.result.blocks += blocks.length;
    this.result.entries += entries.length;
  }

  private checkBlock(block: Block, content: Content): void {
    const subject = `block ${block.number}`;
    const { transactions, entries, events } = content;
    if (block.number !== this.last.number + 1n) this.found('gap', subject, `follows block ${this.last.number}`);
    if (!block.previous_hash.equals(this.last.hash)) this.found('link', subject, 'does not name the block before it');
    if (block.at < this.last.at) this.found('time', subject, 'is earlier than the block before it');
    if (block.entries !== entries.length || block.events !== events.length) {
      const detail = `says ${block.entries} entries and ${block.events} events, has ${entries.length} and ${events.length}`;
      this.found('counts', subject, detail);
    }
    const inOrder =
      transactions.every((row, index) => row.created_index === index) &&
      [entries, events].every((rows) => rows.every((row, index) => row.index === index));
    if (!inOrder) this.found('order', subject, 'has rows that are not numbered from 0 without a gap');
    // Against its own previous_hash, so that one changed block is one finding and not one for each block after it.
    const hash = blockHash(block.previous_hash, { number: block.number, at: block.at, ...content });
    if (!hash.equals(block.hash)) this.found('hash', subject, 'its content is not what was hashed');
    this.checkZeroSums(subject, entries);
    if ([entries, events].some((rows) => rows.some(({ at }) => at.getTime() !== block.at.getTime()))) {
      this.found('at', subject, 'has rows of another time');
    }
    for (const { id, created_at } of transactions) {
      if (created_at.getTime() !== block.at.getTime()) this.found('created_at', id, `is not the time of ${subject}`);
    }
    this.last = block;
  }

  private checkZeroSums(block: string, entries: Entry[]): void {
    const sums = new Map<string, bigint>();
    for (const { transaction_id, currency, amount } of entries) {
      for (const key of [`${block} ${currency}`, `${transaction_id} ${currency}`]) {
        sums.set(key, (sums.get(key) ?? 0n) + amount);
      }
    }
    for (const [key, sum] of sums) if (sum !== 0n) this.found('zero_sum', key, `sums to ${sum}`);
  }

  /** Each entry's balance is its account's last one before it plus its amount. */
  private async checkRunningBalances(entries: Entry[], after: bigint): Promise<void> {
    const accounts = [...new Set(entries.map((entry) => entry.account_id))];
    const { rows } = await sql<{ id: string; balance: bigint; currency: string | null }>`
      select u.id, coalesce(e.balance_after, 0) as balance, a.currency
      from unnest(${accounts}::text[]) as u (id) left join accounts a on a.id = u.id left join lateral (
        select balance_after from entries
        where account_id = u.id and block <= ${after} and at <= ${new Date(this.from.at)}
        order by at desc, block desc, index desc limit 1) e on true`.execute(this.books);
    const known = new Map(rows.map((row) => [row.id, row]));
    for (const entry of entries) {
      const account = known.get(entry.account_id)!;
      const subject = `${entry.account_id} in block ${entry.block}`;
      const balance = account.balance + entry.amount;
      if (entry.balance_after !== balance) {
        this.found('running_balance', subject, `is ${entry.balance_after} after the entry, should be ${balance}`);
      }
      if (entry.currency !== account.currency) this.found('currency', subject, `is not in ${account.currency}`);
      account.balance = entry.balance_after;
    }
  }

  /** Entries are the two sides of what was asked for, and what the bank moved besides. */
  private async checkMoves(entries: Entry[], read: BooksTransaction[]): Promise<void> {
    const moves = new Map<string, Entry[]>();
    for (const entry of entries) {
      const move = moves.get(entry.transaction_id);
      if (move) move.push(entry);
      else moves.set(entry.transaction_id, [entry]);
    }
    const transactions = new Map(read.map((row) => [row.id, row]));
    const others = [...moves.keys()].filter((id) => !transactions.has(id));
    const { rows } = await sql<BooksTransaction>`
      select * from transactions where id = any(${others}::text[])`.execute(this.books);
    for (const row of rows) transactions.set(row.id, row);
    for (const [id, move] of moves) {
      const wanted = transactions.get(id);
      const completed = wanted?.status === 'completed';
      const atBank = completed ? move.slice(2) : move;
      if (!wanted || (!completed && !(wanted.completed_at && isBetweenHouses(atBank)))) {
        this.found('entries_of_unfinished', id, `is ${wanted?.status ?? 'not there'}, and yet has entries`);
        continue;
      }
      const same =
        move.every((each) => each.block === wanted.final_block && each.currency === wanted.currency) &&
        (!completed || isAskedFor(wanted, move)) &&
        isBetweenHouses(atBank);
      if (!same) this.found('move', id, 'its entries are not its amount from its source to its target');
    }
  }

  /** The columns that change are no part of a block's hash, but the events that changed them are. */
  private async checkTransactions(after: bigint, upTo: bigint, earlier: string[]): Promise<void> {
    const { rows } = await sql<{ id: string; moved: boolean; told: boolean; refunded: bigint; refunds: bigint }>`
      select t.id, t.refunded, (select coalesce(sum(amount), 0)::bigint from transactions r
          where r.linked_to = t.id and r.type = 'refund' and (r.status = 'completed' or exists (
            select from holds h where h.transaction_id = r.id and h.status = 'held'))) as refunds,
        t.status <> 'completed' or exists (select from entries e where e.account_id = case
            when not t.incoming then t.from_account
            when t.reason = 'in_suspense' then 'ac_' || split_part(t.to_account, '_', 2) || '_@suspense.' || t.currency
            else t.to_account end
          and e.at = t.completed_at and e.block = t.final_block and e.transaction_id = t.id) as moved,
        t.status = coalesce(e.kind, 'pending') and t.reason is not distinct from e.detail::jsonb ->> 'reason'
          and (t.completed_at is null or (t.final_block = e.block and t.completed_at = e.at)) as told
      from transactions t left join lateral (
        select e.kind, e.detail, e.block, b.at from events e left join blocks b on b.number = e.block
        where e.subject_id = t.id and e.kind = any(${[...TRANSACTION_STATUSES]}::text[])
          and e.at >= t.created_at and e.at <= coalesce(t.completed_at, 'infinity')
        order by e.at desc, e.block desc, e.index desc limit 1) e on true
      where t.created_block > ${after} and t.created_block <= ${upTo}
        or t.id = any(${earlier}::text[])`.execute(this.books);
    for (const { id, moved, told, refunded, refunds } of rows) {
      if (refunded !== refunds) this.found('refunded', id, `is ${refunded}, its refunds sum to ${refunds}`);
      if (!moved) this.found('move', id, 'is completed and has no entries');
      if (!told) this.found('status', id, 'its status, reason or end is not what its last event says');
    }
  }

  /** A decision's row and its event say the same; nothing is decided without both. */
  private async checkDecisions(events: Event[], after: bigint, upTo: bigint): Promise<void> {
    const rows = await this.books
      .selectFrom('decisions')
      .selectAll()
      .where('block', '>', after)
      .where('block', '<=', upTo)
      .orderBy('block')
      .orderBy('index')
      .execute();
    const line = (block: bigint, subject: string, kind: string, detail: string) =>
      `${block} ${subject} ${kind} ${detail}`;
    const told = new Map(
      events
        .filter(({ kind }) => DECISION_EVENTS.has(kind))
        .map((event) => [
          line(event.block, event.subject_id, event.kind, withoutTrace(event.detail)),
          event.subject_id,
        ]),
    );
    for (const row of rows) {
      const { kind, detail } = eventOfDecision({ ...row, actorId: row.actor_id });
      if (!told.delete(line(row.block, row.transaction_id, kind, JSON.stringify(detail)))) {
        this.found('decision', row.transaction_id, `no event says what the decision ${row.id} does`);
      }
    }
    for (const subject of told.values())
      this.found('decision', subject, 'an event tells of a decision that has no row');
  }

  private async checkAccounts(after: string): Promise<string | undefined> {
    const { rows } = await sql<Record<'id' | 'balance' | 'entries' | 'held' | 'holds' | 'status' | 'told', string>>`
      select id, balance::text, held::text, status,
        (select coalesce(sum(amount), 0)::text from entries where account_id = a.id) as entries,
        (select coalesce(sum(h.amount), 0)::text from holds h join transactions t on t.id = h.transaction_id
          where h.account_id = a.id and h.status = 'held' and t.completed_at is null) as holds,
        coalesce((select kind from events where subject_id = a.id and kind = any(${[...WALLET_STATUSES]}::text[])
          order by at desc, block desc, index desc limit 1), 'open') as told
      from accounts a where id > ${after} order by id limit 500`.execute(this.books);
    for (const { id, balance, entries, held, holds, status, told } of rows) {
      if (balance !== entries) this.found('balance', id, `is ${balance}, its entries sum to ${entries}`);
      if (held !== holds) this.found('held', id, `is ${held}, the holds of open transactions sum to ${holds}`);
      if (status !== told) this.found('account_status', id, `is ${status}, its last event says ${told}`);
    }
    const upTo = rows.at(-1)?.id;
    if (upTo !== undefined) await checkLimits(this.books, { after, upTo }, this.found);
    return upTo;
  }
}

/** What was asked for before these rows, perhaps before a checkpoint, and went on in them. */
function earlierOnes(events: Event[], transactions: BooksTransaction[]): string[] {
  const subjects = new Set(events.map((event) => event.subject_id));
  for (const { id } of transactions) subjects.delete(id);
  return [...subjects];
}

/** The first two entries are the amount, from the source to the target; or to the house, which passes it on. */
function isAskedFor(wanted: BooksTransaction, [from, to]: Entry[]): boolean {
  return (
    from !== undefined &&
    (wanted.incoming ? isHouse(from.account_id) : from.account_id === wanted.from_account) &&
    from.amount === -wanted.amount &&
    to !== undefined &&
    (to.account_id === (wanted.to_account ?? to.account_id) || isHouse(to.account_id)) &&
    to.amount === wanted.amount
  );
}

/** What the bank moved for nobody: between `@bank` and `@suspense`, once at most. */
function isBetweenHouses(entries: Entry[]): boolean {
  const names = entries.map((each) => each.account_id.replace(/^ac_\d+_|\..*$/g, '')).sort();
  return entries.length === 0 || names.join() === '@bank,@suspense';
}

function isHouse(accountId: string): boolean {
  return accountId.includes('_@');
}
