import type pg from 'pg';
import type { Account, Books, Draft, Hold, TransactionRecord } from './books';
import { blockHash } from './chain';
import type { Command, Outcome, StepOutcome } from './commands';
import { decide } from './decide';
import { isUnreachable } from './postgres';
import { addedRows, writesOf, type AddedRows } from './writes';

export interface Head {
  block: bigint;
  hash: Buffer;
  at: Date;
}

const LOCK = 'select block, hash, at from chain_head for update';

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
export async function postOnce(client: pg.Client, commands: readonly Command[], now: () => Date): Promise<Outcome[]> {
  const { head, books } = await lockAndRead(client, commands);
  // Time never runs backwards in a chain, whatever a clock says.
  const clock = now();
  const at = clock > head.at ? clock : head.at;
  const { outcomes, draft } = decide(books, commands, at, head.block + 1n);
  if (draft.isEmpty) {
    await client.query('rollback');
    return outcomes;
  }
  const added = addedRows(draft);
  const hash = blockHash(head.hash, { number: draft.block, at, ...added });
  try {
    await writeAndCommit(client, head, draft, hash, added);
  } catch (error) {
    if (isUnreachable(error)) throw new LostCommit(draft.block, hash, outcomes, { cause: error });
    throw error;
  }
  return outcomes;
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
  const [row] = found!.rows as { hash: Buffer }[];
  return row !== undefined && row.hash.equals(hash);
}

/** Commands name what they touch; reading anything else would be reading for nothing. */
function touched(commands: readonly Command[]) {
  const accounts = new Set<string>();
  const transactions = new Set<string>();
  let stepsToo = false;
  for (const command of commands) {
    if ('accountId' in command) {
      accounts.add(command.accountId);
    } else if ('facts' in command) {
      transactions.add(command.facts.id);
      accounts.add(command.facts.from);
      if (command.facts.to !== undefined) accounts.add(command.facts.to);
      if (command.kind === 'capture') accounts.add(command.to);
    } else {
      transactions.add(command.transactionId);
    }
    stepsToo ||= command.kind !== 'transfer' && command.kind !== 'pend';
  }
  return { accounts: [...accounts], transactions: [...transactions], stepsToo };
}

async function lockAndRead(client: pg.Client, commands: readonly Command[]): Promise<{ head: Head; books: Books }> {
  const { accounts, transactions, stepsToo } = touched(commands);
  const begin = client.query('begin isolation level read committed');
  // A statement of its own: what follows takes its snapshot after the lock, and so sees all that came before.
  const head = client.query<Head>({ name: 'lock', text: LOCK });
  const found = client.query<Account>({
    name: 'accounts',
    text: 'select id, kind, currency, status, balance, held, version from accounts where id = any($1)',
    values: [accounts],
  });
  const known = client.query<TransactionRecord>({
    name: 'transactions',
    text: `select id, command_hash as hash, status, reason, owner_workflow as owner, to_account as "to", created_at as "createdAt",
             completed_at as "completedAt", created_block as "createdBlock"
           from transactions where id = any($1)`,
    values: [transactions],
  });
  // A plain transfer takes no step of its own, but money held for its id must stop it.
  const holds = client.query<Hold>({
    name: 'holds',
    text: `select transaction_id as "transactionId", step, account_id as "accountId", amount as "amountMinor", status,
             expires_at as "expiresAt" from holds where transaction_id = any($1)`,
    values: [transactions],
  });
  const steps = stepsToo
    ? client.query<{ transactionId: string; step: string; outcome: StepOutcome }>({
        name: 'steps',
        text: 'select transaction_id as "transactionId", step, outcome from steps where transaction_id = any($1)',
        values: [transactions],
      })
    : undefined;
  const results = await allSettled([begin, head, found, known, holds, ...(steps ? [steps] : [])]);
  return {
    head: results[1]!.rows[0] as Head,
    books: {
      accounts: results[2]!.rows as Account[],
      transactions: results[3]!.rows as TransactionRecord[],
      holds: results[4]!.rows as Hold[],
      steps: (results[5]?.rows ?? []) as { transactionId: string; step: string; outcome: StepOutcome }[],
    },
  };
}

async function writeAndCommit(
  client: pg.Client,
  head: Head,
  draft: Draft,
  hash: Buffer,
  added: AddedRows,
): Promise<void> {
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
  const results = await allSettled([...writes, chain, client.query('commit')]);
  // After a failed statement Postgres answers COMMIT with ROLLBACK and no error.
  if (results.at(-1)!.command !== 'COMMIT') throw new Error('The commit was rolled back');
}

/** Waits for every answer of a pipeline before it throws the first error, so that none is left unhandled. */
async function allSettled(queries: Promise<pg.QueryResult>[]): Promise<pg.QueryResult[]> {
  const settled = await Promise.allSettled(queries);
  return settled.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}
