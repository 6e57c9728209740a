import type { Draft } from './books';
import { writeUsage } from './limits';
import type { Database } from './schema';

type Table = Exclude<keyof Database, 'users' | 'shard_identity'>;
type Row = Record<string, unknown>;

/** One statement for all rows of a table that a block adds or changes: each column travels as one array. */
export interface Write {
  name: string;
  text: string;
  values: unknown[];
}

/** What a block adds, in the form that is hashed and stored. */
export function addedRows(draft: Draft) {
  return {
    transactions: [...draft.newTransactions.values()].map(({ facts, record, incoming }) => ({
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
      linked_to: facts.linkedTo ?? null,
      bank_account_id: facts.bankAccountId ?? null,
      status: record.status,
      reason: record.reason,
      owner_workflow: record.owner,
      completed_at: record.completedAt,
      incoming,
    })),
    entries: draft.entries.map((entry) => ({
      transaction_id: entry.transactionId,
      account_id: entry.accountId,
      currency: entry.currency,
      amount: entry.amountMinor,
      balance_after: entry.balanceAfter,
    })),
    events: draft.events.map(({ subjectId, kind, detail }) => ({ subject_id: subjectId, kind, detail })),
    steps: draft.newSteps.map(({ transactionId, step, outcome }) => ({ transaction_id: transactionId, step, outcome })),
    holds: [...draft.newHolds.values()].map((hold) => ({
      transaction_id: hold.transactionId,
      step: hold.step,
      account_id: hold.accountId,
      amount: hold.amountMinor,
      status: hold.status,
      expires_at: hold.expiresAt,
    })),
    decisions: draft.newDecisions.map((decision) => ({
      id: decision.id,
      transaction_id: decision.transactionId,
      kind: decision.kind,
      actor_id: decision.actorId,
      role: decision.role,
      outcome: decision.outcome,
      note_sealed: decision.noteSealed,
      state: decision.state,
    })),
  };
}

/** What a block changes: the key, the new values, and for an account the version that was read. */
function changedRows(draft: Draft) {
  return {
    transactions: [...draft.changedTransactions.values()].map((record) => ({
      id: record.id,
      status: record.status,
      reason: record.reason,
      owner_workflow: record.owner,
      completed_at: record.completedAt,
    })),
    refunds: [...draft.changedRefunds.values()].map(({ id, refundedMinor }) => ({ id, refunded: refundedMinor })),
    accounts: [...draft.changedAccounts.values()].map(({ id, status, balance, held, version, used }) => ({
      id,
      status,
      balance,
      held,
      version,
      limits_used: used && JSON.stringify(writeUsage(used)),
    })),
    holds: [...draft.changedHolds.values()].map(({ transactionId, step, status }) => ({
      transaction_id: transactionId,
      step,
      status,
    })),
  };
}

export type AddedRows = ReturnType<typeof addedRows>;

/** Everything a block writes besides itself. */
export function writesOf(draft: Draft, added: AddedRows): Write[] {
  const changed = changedRows(draft);
  const stamp = [draft.block, draft.at];
  return [
    insertTransactions(added.transactions, stamp),
    updateTransactions(changed.transactions, stamp),
    updateRefunded(changed.refunds, stamp),
    insertEntries(added.entries, stamp),
    insertEvents(added.events, stamp),
    updateAccounts(changed.accounts, stamp),
    insertSteps(added.steps, stamp),
    insertHolds(added.holds, stamp),
    updateHolds(changed.holds, stamp),
    insertDecisions(added.decisions, stamp),
  ].filter((write) => write !== undefined);
}

const FINAL_BLOCK = 'case when u.completed_at is null then null else b.block end';

const insertTransactions = insert(
  'transactions',
  {
    id: 'text',
    type: 'text',
    actor_id: 'text',
    from_account: 'text',
    to_account: 'text',
    to_name_sealed: 'text',
    amount: 'bigint',
    currency: 'text',
    message_sealed: 'text',
    command_hash: 'text',
    linked_to: 'text',
    bank_account_id: 'text',
    status: 'text',
    reason: 'text',
    owner_workflow: 'text',
    completed_at: 'timestamptz',
    incoming: 'boolean',
  },
  { final_block: FINAL_BLOCK, created_block: 'b.block', created_index: 'n - 1', created_at: 'b.at' },
);

const insertEntries = insert(
  'entries',
  { transaction_id: 'text', account_id: 'text', currency: 'text', amount: 'bigint', balance_after: 'bigint' },
  { block: 'b.block', index: 'n - 1', at: 'b.at' },
);

const insertEvents = insert(
  'events',
  { subject_id: 'text', kind: 'text', detail: 'text' },
  { block: 'b.block', index: 'n - 1', at: 'b.at' },
);

const insertSteps = insert('steps', { transaction_id: 'text', step: 'text', outcome: 'text' }, { block: 'b.block' });

const insertHolds = insert(
  'holds',
  {
    transaction_id: 'text',
    step: 'text',
    account_id: 'text',
    amount: 'bigint',
    status: 'text',
    expires_at: 'timestamptz',
  },
  { block: 'b.block' },
);

const insertDecisions = insert(
  'decisions',
  {
    id: 'text',
    transaction_id: 'text',
    kind: 'text',
    actor_id: 'text',
    role: 'text',
    outcome: 'text',
    note_sealed: 'text',
    state: 'text',
  },
  { block: 'b.block', index: 'n - 1' },
);

const updateTransactions = update(
  'transactions',
  { id: 'text', status: 'text', reason: 'text', owner_workflow: 'text', completed_at: 'timestamptz' },
  {
    set: `status = u.status, reason = u.reason, owner_workflow = u.owner_workflow, completed_at = u.completed_at,
      final_block = ${FINAL_BLOCK}`,
    where: 't.id = u.id and t.completed_at is null',
  },
);

const updateRefunded = update(
  'transactions',
  { id: 'text', refunded: 'bigint' },
  {
    name: 'update-refunded',
    set: 'refunded = u.refunded',
    where: `t.id = u.id and t.status = 'completed'`,
  },
);

const updateAccounts = update(
  'accounts',
  { id: 'text', status: 'text', balance: 'bigint', held: 'bigint', version: 'bigint', limits_used: 'jsonb' },
  {
    set: `status = u.status, balance = u.balance, held = u.held, version = t.version + 1,
      limits_used = u.limits_used`,
    where: 't.id = u.id and t.version = u.version',
  },
);

const updateHolds = update(
  'holds',
  { transaction_id: 'text', step: 'text', status: 'text' },
  {
    set: 'status = u.status',
    where: `t.transaction_id = u.transaction_id and t.step = u.step and t.status = 'held'`,
  },
);

type Columns<R extends Row> = { [K in keyof R]: 'bigint' | 'boolean' | 'jsonb' | 'text' | 'timestamptz' };
type Stamp = unknown[];

/** The rows as a table `u`, numbered by `n`, beside `b`, the block and its time. */
function given(columns: Row, first: number): string {
  const names = Object.keys(columns);
  const arrays = names.map((name, index) => `$${first + index}::${String(columns[name])}[]`);
  return `unnest(${arrays.join(', ')}) with ordinality as u (${names.join(', ')}, n),
    (select $1::bigint as block, $2::timestamptz as at) as b`;
}

function arraysOf(columns: Row, rows: readonly Row[]): unknown[] {
  return Object.keys(columns).map((name) => rows.map((row) => row[name]));
}

function insert<R extends Row>(table: Table, columns: Columns<R>, made: Record<string, string>) {
  const name = `insert-${table}`;
  const names = [...Object.keys(columns), ...Object.keys(made)].join(', ');
  const values = [...Object.keys(columns).map((column) => `u.${column}`), ...Object.values(made)].join(', ');
  const text = `insert into ${table} (${names}) select ${values} from ${given(columns, 3)}`;
  return (rows: readonly R[], stamp: Stamp): Write | undefined =>
    rows.length === 0 ? undefined : { name, text, values: [...stamp, ...arraysOf(columns, rows)] };
}

/** Also asserts that every row was found as it was read: otherwise nothing of the block is committed. */
function update<R extends Row>(
  table: Table,
  columns: Columns<R>,
  { set, where, name = `update-${table}` }: { set: string; where: string; name?: string },
) {
  const text = `with done as (
      update ${table} t set ${set} from ${given(columns, 4)} where ${where} returning 1)
    select assert_rows(count(*), $3::bigint, '${table}') from done`;
  return (rows: readonly R[], stamp: Stamp): Write | undefined =>
    rows.length === 0 ? undefined : { name, text, values: [...stamp, rows.length, ...arraysOf(columns, rows)] };
}
