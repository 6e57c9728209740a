import type pg from 'pg';
import type { StepOutcome, Command } from './commands';
import type { Account, Books, Draft, Hold, TransactionRecord } from './books';
import { blockHash, type ChainedEntry, type ChainedEvent, type ChainedTransaction } from './chain';
import { decide, type Decision } from './decide';

export interface Head {
  block: bigint;
  hash: Buffer;
  at: Date;
}

/**
 * One commit of the books on a pipelined connection, in two round trips whatever the number of commands: lock and read;
 * then write and commit. What decide finds to be nothing new writes nothing.
 */
export async function postOnce(client: pg.Client, commands: readonly Command[], now: () => Date): Promise<Decision> {
  const { head, books } = await lockAndRead(client, commands);
  // Time never runs backwards in a chain, whatever a clock says.
  const clock = now();
  const at = clock > head.at ? clock : head.at;
  const decision = decide(books, commands, at, head.block + 1n);
  if (decision.draft.isEmpty) {
    await client.query('rollback');
    return decision;
  }
  await writeAndCommit(client, head, decision.draft);
  return decision;
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
  const head = client.query<Head>({ name: 'lock', text: 'select block, hash, at from chain_head for update' });
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

async function writeAndCommit(client: pg.Client, head: Head, draft: Draft): Promise<void> {
  const { block, at } = draft;
  const transactions = [...draft.newTransactions.values()];
  const chained: ChainedTransaction[] = transactions.map(({ facts }) => ({
    id: facts.id,
    type: facts.type,
    actor_id: facts.actorId,
    from_account: facts.from,
    to_account: facts.to ?? null,
    to_name_sealed: facts.toNameSealed ?? null,
    amount: facts.amountMinor,
    currency: facts.currency,
    message_sealed: facts.messageSealed ?? null,
    command_hash: facts.hash,
  }));
  const entries: ChainedEntry[] = draft.entries.map((entry) => ({
    transaction_id: entry.transactionId,
    account_id: entry.accountId,
    currency: entry.currency,
    amount: entry.amountMinor,
    balance_after: entry.balanceAfter,
  }));
  const events: ChainedEvent[] = draft.events.map((event) => ({
    subject_id: event.subjectId,
    kind: event.kind,
    detail: event.detail,
  }));
  const hash = blockHash(head.hash, { number: block, at, transactions: chained, entries, events });
  const column = <T, K extends keyof T>(rows: readonly T[], key: K) => rows.map((row) => row[key]);

  const writes: Promise<pg.QueryResult>[] = [];
  const write = (name: string, text: string, values: unknown[]) => writes.push(client.query({ name, text, values }));

  if (chained.length > 0) {
    const records = transactions.map(({ record }) => record);
    write(
      'insert-transactions',
      `insert into transactions (id, type, actor_id, from_account, to_account, to_name_sealed, amount, currency,
         message_sealed, command_hash, status, reason, owner_workflow, completed_at, final_block,
         created_block, created_at, created_index)
       select id, type, actor_id, from_account, to_account, to_name_sealed, amount, currency,
         message_sealed, command_hash, status, reason, owner_workflow, completed_at,
         case when completed_at is null then null else $15::bigint end, $15::bigint, $16::timestamptz, n - 1
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
           $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[])
         with ordinality as u (id, type, actor_id, from_account, to_account, to_name_sealed, amount, currency,
           message_sealed, command_hash, status, reason, owner_workflow, completed_at, n)`,
      [
        column(chained, 'id'),
        column(chained, 'type'),
        column(chained, 'actor_id'),
        column(chained, 'from_account'),
        column(chained, 'to_account'),
        column(chained, 'to_name_sealed'),
        column(chained, 'amount'),
        column(chained, 'currency'),
        column(chained, 'message_sealed'),
        column(chained, 'command_hash'),
        column(records, 'status'),
        column(records, 'reason'),
        column(records, 'owner'),
        column(records, 'completedAt'),
        block,
        at,
      ],
    );
  }
  if (draft.changedTransactions.size > 0) {
    const records = [...draft.changedTransactions.values()];
    write(
      'update-transactions',
      `with done as (
         update transactions t set status = u.status, reason = u.reason, owner_workflow = u.owner,
           completed_at = u.completed_at, final_block = case when u.completed_at is null then null else $6::bigint end
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
           as u (id, status, reason, owner, completed_at)
         where t.id = u.id and t.completed_at is null returning 1)
       select assert_rows(count(*), $7::bigint, 'transactions') from done`,
      [
        column(records, 'id'),
        column(records, 'status'),
        column(records, 'reason'),
        column(records, 'owner'),
        column(records, 'completedAt'),
        block,
        records.length,
      ],
    );
  }
  if (entries.length > 0) {
    write(
      'insert-entries',
      `insert into entries (block, index, transaction_id, account_id, currency, amount, balance_after)
       select $1::bigint, n - 1, transaction_id, account_id, currency, amount, balance_after
       from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
         with ordinality as u (transaction_id, account_id, currency, amount, balance_after, n)`,
      [
        block,
        column(entries, 'transaction_id'),
        column(entries, 'account_id'),
        column(entries, 'currency'),
        column(entries, 'amount'),
        column(entries, 'balance_after'),
      ],
    );
  }
  if (events.length > 0) {
    write(
      'insert-events',
      `insert into events (block, index, subject_id, kind, detail)
       select $1::bigint, n - 1, subject_id, kind, detail
       from unnest($2::text[], $3::text[], $4::text[]) with ordinality as u (subject_id, kind, detail, n)`,
      [block, column(events, 'subject_id'), column(events, 'kind'), column(events, 'detail')],
    );
  }
  if (draft.changedAccounts.size > 0) {
    const accounts = [...draft.changedAccounts.values()];
    write(
      'update-accounts',
      `with done as (
         update accounts a set status = u.status, balance = u.balance, held = u.held, version = a.version + 1
         from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
           as u (id, status, balance, held, version)
         where a.id = u.id and a.version = u.version returning 1)
       select assert_rows(count(*), $6::bigint, 'accounts') from done`,
      [
        column(accounts, 'id'),
        column(accounts, 'status'),
        column(accounts, 'balance'),
        column(accounts, 'held'),
        column(accounts, 'version'),
        accounts.length,
      ],
    );
  }
  if (draft.newSteps.length > 0) {
    write(
      'insert-steps',
      `insert into steps (transaction_id, step, outcome, block)
       select transaction_id, step, outcome, $1::bigint from unnest($2::text[], $3::text[], $4::text[])
         as u (transaction_id, step, outcome)`,
      [
        block,
        column(draft.newSteps, 'transactionId'),
        column(draft.newSteps, 'step'),
        column(draft.newSteps, 'outcome'),
      ],
    );
  }
  if (draft.newHolds.size > 0) {
    const holds = [...draft.newHolds.values()];
    write(
      'insert-holds',
      `insert into holds (transaction_id, step, account_id, amount, status, expires_at, block)
       select u.*, $1::bigint from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::timestamptz[]) as u`,
      [
        block,
        column(holds, 'transactionId'),
        column(holds, 'step'),
        column(holds, 'accountId'),
        column(holds, 'amountMinor'),
        column(holds, 'status'),
        column(holds, 'expiresAt'),
      ],
    );
  }
  if (draft.changedHolds.size > 0) {
    const holds = [...draft.changedHolds.values()];
    write(
      'update-holds',
      `with done as (
         update holds h set status = u.status from unnest($1::text[], $2::text[], $3::text[]) as u (id, step, status)
         where h.transaction_id = u.id and h.step = u.step and h.status = 'held' returning 1)
       select assert_rows(count(*), $4::bigint, 'holds') from done`,
      [column(holds, 'transactionId'), column(holds, 'step'), column(holds, 'status'), holds.length],
    );
  }
  write(
    'insert-block',
    `with done as (update chain_head set block = $1::bigint, hash = $4::bytea, at = $2::timestamptz where block = $1::bigint - 1 returning 1),
       added as (insert into blocks (number, at, previous_hash, hash, entries, events) values ($1::bigint, $2::timestamptz, $3::bytea, $4::bytea, $5::integer, $6::integer))
     select assert_rows(count(*), 1, 'chain_head') from done`,
    [block, at, head.hash, hash, entries.length, events.length],
  );
  const commit = client.query('commit');
  const results = await allSettled([...writes, commit]);
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
