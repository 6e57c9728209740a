import type pg from 'pg';
import { shardOfId, systemAccountId } from '../contracts/ids';
import type { DefaultLimits } from '../contracts/limits';
import type { Account, Books, DecisionRecord, Draft, Hold, NewStep, TransactionRecord } from './books';
import { blockHash } from './chain';
import type { Command, Outcome, RecordCommand, TransactionFacts } from './commands';
import { decide, mayMoveHouse, needsDecisions } from './decide';
import { readLimits, readUsage, type StoredLimits, type StoredUsage } from './limits';
import { Fenced, isUnreachable } from './postgres';
import type { ShardState } from './schema';
import { addedRows, writesOf, type AddedRows } from './writes';

export interface Head {
  block: bigint;
  hash: Buffer;
  at: Date;
}

export interface Posted {
  outcomes: Outcome[];
  /** The transactions that this commit has ended. */
  ended: TransactionRecord[];
}

/** Of one commit: lock and read; write and commit. */
export const ROUND_TRIPS = 2;

const LOCK = 'select block, hash, at, (select state from shard_identity) as state from chain_head for update';
const ACCOUNT = `
  select id, kind, currency, status, owner_frozen as "ownerFrozen", balance, held, version, limits, limits_used as used
  from accounts`;
const ACCOUNTS = `${ACCOUNT} where id = any($1)`;
/** A decision names a transaction alone; ending it gives back what is held, wherever that is, and what a deposit counts. */
const ACCOUNTS_AND_HELD = `${ACCOUNT} where id = any(array(
  select unnest($1::text[]) union select account_id from holds where transaction_id = any($2) and status = 'held'
  union select to_account from transactions where id = any($2) and type = 'deposit'))`;
const TRANSACTIONS = `
  select id, type, actor_id as "actorId", command_hash as hash, status, reason, owner_workflow as owner,
    from_account as "from", to_account as "to", amount as "amountMinor", currency, refunded as "refundedMinor",
    created_at as "createdAt", completed_at as "completedAt", created_block as "createdBlock"
  from transactions where id = any($1)`;
// Each block is looked up by its number. Of a join a plan may come to read all blocks, for mostly no hold at all.
const HOLDS = `
  select transaction_id as "transactionId", step, account_id as "accountId", amount as "amountMinor", status,
    expires_at as "expiresAt", (select at from blocks where number = holds.block) as at, block
  from holds where transaction_id = any($1)`;
const STEPS = 'select transaction_id as "transactionId", step, outcome from steps where transaction_id = any($1)';
const DECISIONS = `
  select id, transaction_id as "transactionId", kind, actor_id as "actorId", role, outcome, note_sealed as "noteSealed",
    state
  from decisions where transaction_id = any($1) or id = any($2) order by block, index`;

const MONTH = 'select make_months($1, 0)';

/** A commit was sent and its answer never came: the block may be in the chain, or never will be. */
export class LostCommit extends Error {
  constructor(
    readonly block: bigint,
    readonly hash: Buffer,
    /** What the commands come to if it is. */
    readonly outcomes: Outcome[],
    options: ErrorOptions,
  ) {
    super(`The answer to the commit of block ${block} was lost`, options);
    this.name = 'LostCommit';
  }
}

/**
 * One commit of the books on a pipelined connection, in two round trips whatever the number of commands: lock and read;
 * then write and commit. What decide finds to be nothing new writes nothing.
 */
export async function postOnce(
  client: pg.Client,
  commands: readonly Command[],
  { now, defaultLimits }: { now: () => Date; defaultLimits?: DefaultLimits },
): Promise<Posted> {
  const { head, books } = await lockAndRead(client, commands);
  // Time never runs backwards in a chain, whatever a clock says.
  const clock = now();
  const at = clock > head.at ? clock : head.at;
  const { outcomes, draft } = decide({ ...books, defaultLimits }, commands, at, head.block + 1n);
  if (draft.isEmpty) {
    await client.query('rollback');
    return { outcomes, ended: [] };
  }
  const added = addedRows(draft);
  const hash = blockHash(head.hash, { number: draft.block, at, ...added });
  try {
    await writeAndCommit(client, head, draft, hash, added);
  } catch (error) {
    if (isUnreachable(error)) throw new LostCommit(draft.block, hash, outcomes, { cause: error });
    throw error;
  }
  return { outcomes, ended: endedIn(draft) };
}

/** Each transaction once, on the shard that owns it. */
function endedIn({ newTransactions, changedTransactions }: Draft): TransactionRecord[] {
  const own = [...newTransactions.values()].filter(({ incoming }) => !incoming).map(({ record }) => record);
  return [...own, ...changedTransactions.values()].filter(({ completedAt }) => completedAt !== null);
}

/**
 * Whether a lost commit is in the chain. Under the lock that is certain: its session held the lock until it had either
 * committed or ended.
 */
export async function hasLanded(client: pg.Client, { block, hash }: LostCommit): Promise<boolean> {
  const [, , found] = await allSettled([
    client.query('begin isolation level read committed'),
    client.query({ name: 'lock', text: LOCK }),
    client.query<{ hash: Buffer }>({
      name: 'block',
      text: 'select hash from blocks where number = $1',
      values: [block],
    }),
    client.query('rollback'),
  ]);
  const [row] = found.rows;
  return row !== undefined && row.hash.equals(hash);
}

/** Commands name what they touch; reading anything else would be reading for nothing. */
function touched(commands: readonly Command[]) {
  const accounts = new Set<string>();
  const transactions = new Set<string>();
  const decisions = new Set<string>();
  let stepsToo = false;
  let decisionsToo = false;
  for (const command of commands) {
    if (command.kind === 'record') continue;
    if ('accountId' in command) {
      accounts.add(command.accountId);
    } else if ('facts' in command) {
      for (const id of accountsOf(command)) accounts.add(id);
      transactions.add(command.facts.id);
      if (command.facts.type === 'refund' && command.facts.linkedTo !== undefined) {
        transactions.add(command.facts.linkedTo);
      }
    } else {
      transactions.add(command.transactionId);
      if (command.kind === 'decision') decisions.add(command.id);
    }
    stepsToo ||= command.kind !== 'transfer' && command.kind !== 'pend';
    decisionsToo ||= needsDecisions(command);
  }
  return {
    accounts: [...accounts],
    transactions: [...transactions],
    decisions: [...decisions],
    stepsToo,
    decisionsToo,
  };
}

function accountsOf(command: Extract<Command, { facts: object }>): string[] {
  const { from, to } = command.facts;
  return [
    from,
    ...(to === undefined ? [] : [to]),
    ...(command.kind === 'capture' ? [command.to] : []),
    ...(mayMoveHouse(command) ? houseAccounts(command.facts) : []),
    ...(command.kind === 'receive' ? [systemAccountId(shardOfId(to!)!, '@clearing', command.facts.currency)] : []),
    ...(command.kind === 'repost' ? houseOfHalf(command) : []),
  ];
}

function houseOfHalf({ facts, half }: Extract<Command, { kind: 'repost' }>): string[] {
  const shard = shardOfId(half === 'credit' ? facts.to! : facts.from)!;
  return [systemAccountId(shard, '@clearing', facts.currency), systemAccountId(shard, '@suspense', facts.currency)];
}

function houseAccounts({ from, currency }: TransactionFacts): string[] {
  const shard = shardOfId(from);
  if (shard === undefined) return [];
  return [systemAccountId(shard, '@bank', currency), systemAccountId(shard, '@suspense', currency)];
}

async function lockAndRead(client: pg.Client, commands: readonly Command[]): Promise<{ head: Head; books: Books }> {
  const { accounts, transactions, decisions, stepsToo, decisionsToo } = touched(commands);
  const read = <Row extends object>(name: string, text: string, ...values: string[][]) =>
    client.query<Row>({ name, text, values });
  const nothing = <Row extends object>() => Promise.resolve({ rows: [] as Row[] });
  const changes = commands.filter((command) => command.kind === 'record');
  const results = await allSettled([
    client.query('begin isolation level read committed'),
    // A statement of its own: what follows takes its snapshot after the lock, and so sees all that came before.
    client.query<Head & { state: ShardState }>({ name: 'lock', text: LOCK }),
    decisionsToo
      ? read<AccountRow>('accounts-and-held', ACCOUNTS_AND_HELD, accounts, transactions)
      : read<AccountRow>('accounts', ACCOUNTS, accounts),
    read<TransactionRecord>('transactions', TRANSACTIONS, transactions),
    // A plain transfer takes no step of its own, but money held for its id must stop it.
    read<Hold>('holds', HOLDS, transactions),
    stepsToo ? read<NewStep>('steps', STEPS, transactions) : nothing<NewStep>(),
    decisionsToo ? read<DecisionRecord>('decisions', DECISIONS, transactions, decisions) : nothing<DecisionRecord>(),
    changeRows(client, changes),
  ]);
  const [head] = results[1].rows as [Head & { state: ShardState }];
  // The tables would refuse, too; but what writes nothing is no sign that the shard is in use.
  if (head.state !== 'active') throw new Fenced(head.state);
  return {
    head,
    books: {
      accounts: results[2].rows.map(accountOf),
      transactions: results[3].rows,
      holds: results[4].rows,
      steps: results[5].rows,
      decisions: results[6].rows,
      unchanged: results[7],
    },
  };
}

type AccountRow = Omit<Account, 'limits' | 'used'> & { limits: StoredLimits | null; used: StoredUsage | null };

/** Most wallets have neither, and stay as they were read. */
function accountOf(row: AccountRow): Account {
  if (row.limits === null && row.used === null) return row as Account;
  return { ...row, limits: readLimits(row.limits), used: readUsage(row.used) };
}

/** Changes the rows that are not the books' own, and finds those that had nothing left to change. */
async function changeRows(client: pg.Client, commands: readonly RecordCommand[]): Promise<Set<Command>> {
  const results = await allSettled(commands.map(({ change }) => client.query(change)));
  return new Set(commands.filter((_, index) => results[index]!.rows.length === 0));
}

async function writeAndCommit(
  client: pg.Client,
  head: Head,
  draft: Draft,
  hash: Buffer,
  added: AddedRows,
): Promise<void> {
  // A month's first block sees to its tables, should nobody have made them ahead.
  const month = isSameMonth(head.at, draft.at)
    ? []
    : [client.query({ name: 'month', text: MONTH, values: [draft.at] })];
  const writes = writesOf(draft, added).map((write) => client.query(write));
  const chain = client.query({
    name: 'insert-block',
    text: `with done as (
             update chain_head set block = $1::bigint, at = $2::timestamptz, hash = $4::bytea
             where block = $1::bigint - 1 and hash = $3::bytea returning 1),
           added as (
             insert into blocks (number, at, previous_hash, hash, entries, events)
             values ($1::bigint, $2::timestamptz, $3::bytea, $4::bytea, $5::integer, $6::integer))
           select assert_rows(count(*), 1, 'chain_head') from done`,
    values: [draft.block, draft.at, head.hash, hash, added.entries.length, added.events.length],
  });
  const results = await allSettled([...month, ...writes, chain, client.query('commit')]);
  // After a failed statement Postgres answers COMMIT with ROLLBACK and no error.
  if (results.at(-1)!.command !== 'COMMIT') throw new Error('The commit was rolled back');
}

/** As the books' months are: in UTC. */
function isSameMonth(one: Date, other: Date): boolean {
  return one.toISOString().slice(0, 7) === other.toISOString().slice(0, 7);
}

/** Waits for every answer of a pipeline before it throws the first error, so that none is left unhandled. */
async function allSettled<T extends readonly Promise<unknown>[]>(queries: [...T]) {
  const settled = await Promise.allSettled(queries);
  for (const each of settled) if (each.status === 'rejected') throw each.reason;
  return Promise.all(queries);
}
