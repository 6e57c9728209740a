import type { Generated, JSONColumnType } from 'kysely';
import type { Permission } from '../contracts/permissions';
import type { ReconciliationScope, ReconciliationStatus } from '../contracts/reconciliation';
import type {
  DecisionKind,
  ResolvedAs,
  Role,
  TransactionStatus,
  TransactionType,
  UserStatus,
  WalletStatus,
} from '../contracts/statuses';
import type { StoredLimits, StoredUsage } from './limits';

/** Of one shard's databases at most one is `active`, and only that one takes writes. */
export type ShardState = 'active' | 'fenced' | 'moved' | 'copy';

/** The tables of one shard, as kysely sees them; migrations/ makes them. */
export interface Database {
  shard_identity: {
    shard: number;
    shard_count: number;
    created_at: Generated<Date>;
    state: Generated<ShardState>;
    move_id: string | null;
    moved_to: string | null;
  };
  users: {
    id: string;
    username: string;
    password_hash: string;
    name_sealed: string;
    email_sealed: string;
    roles: Role[];
    status: Generated<UserStatus>;
    /** A keyed hash; null until a rotation has come by a row from before there was one. */
    email_index: string | null;
    created_at: Generated<Date>;
  };
  sessions: {
    id: string;
    user_id: string;
    family_hash: Buffer;
    refresh_hash: Buffer;
    address_sealed: string | null;
    agent_sealed: string | null;
    created_at: Generated<Date>;
    last_used_at: Generated<Date>;
    expires_at: Date;
    ended_at: Date | null;
  };
  api_keys: {
    id: string;
    user_id: string;
    name_sealed: string;
    hash: Buffer;
    scopes: Permission[];
    created_at: Generated<Date>;
    last_used_at: Date | null;
    expires_at: Date;
    revoked_at: Date | null;
  };
  identities: { user_id: string; issuer: string; subject_hash: Buffer; linked_at: Generated<Date> };
  login_addresses: { user_id: string; address_hash: string; last_at: Generated<Date> };
  data_keys: {
    owner_id: string;
    number: bigint;
    wrapping_key: string;
    wrapped: string;
    created_at: Generated<Date>;
  };
  erasures: {
    user_id: string;
    proposed_by: string;
    proposed_at: Generated<Date>;
    confirmed_by: string | null;
    erased_at: Date | null;
  };
  erased_names: { name_index: string };
  role_proposals: { user_id: string; roles: Role[]; proposed_by: string; proposed_at: Generated<Date> };
  accounts: {
    id: string;
    kind: 'user' | 'system';
    owner_id: string | null;
    currency: string;
    status: Generated<WalletStatus>;
    balance: Generated<bigint>;
    held: Generated<bigint>;
    version: Generated<bigint>;
    owner_frozen: Generated<boolean>;
    limits: JSONColumnType<StoredLimits> | null;
    limits_used: JSONColumnType<StoredUsage> | null;
    created_at: Generated<Date>;
  };
  chain_head: { block: bigint; hash: Buffer; at: Date };
  blocks: { number: bigint; at: Date; previous_hash: Buffer; hash: Buffer; entries: number; events: number };
  transactions: {
    id: string;
    type: TransactionType;
    status: TransactionStatus;
    actor_id: string;
    from_account: string;
    to_account: string | null;
    to_name_sealed: string | null;
    amount: bigint;
    currency: string;
    message_sealed: string | null;
    command_hash: string;
    reason: string | null;
    owner_workflow: string | null;
    created_block: bigint;
    created_index: number;
    created_at: Date;
    final_block: bigint | null;
    completed_at: Date | null;
    linked_to: string | null;
    bank_account_id: string | null;
    refunded: Generated<bigint>;
    incoming: Generated<boolean>;
  };
  steps: { transaction_id: string; step: string; outcome: 'done' | 'tombstone'; block: bigint };
  holds: {
    transaction_id: string;
    step: string;
    account_id: string;
    amount: bigint;
    status: 'held' | 'captured' | 'released';
    expires_at: Date | null;
    block: bigint;
  };
  entries: {
    block: bigint;
    index: number;
    transaction_id: string;
    account_id: string;
    currency: string;
    amount: bigint;
    balance_after: bigint;
    /** Its block's. */
    at: Date;
  };
  events: {
    block: bigint;
    index: number;
    subject_id: string;
    kind: string;
    /** JSON, as the exact text that was hashed. */
    detail: string;
    /** Its block's. */
    at: Date;
  };
  decisions: {
    id: string;
    transaction_id: string;
    kind: DecisionKind;
    actor_id: string;
    role: string;
    outcome: ResolvedAs | null;
    note_sealed: string | null;
    state: 'proposed' | 'final';
    block: bigint;
    index: number;
  };
  bank_accounts: {
    id: string;
    owner_id: string;
    bank_code: string;
    details_sealed: string;
    fingerprint: string;
    masked_number: string;
    status: Generated<'unverified' | 'verified' | 'refused'>;
    reason: string | null;
    created_at: Generated<Date>;
  };
  virtual_accounts: { number: string; account_id: string; created_at: Generated<Date> };
  bank_requests: {
    reference: string;
    transaction_id: string;
    step: string;
    attempt: number;
    state: 'sending' | 'accepted' | 'settled' | 'refused' | 'returned' | 'voiding' | 'voided';
    amount: bigint | null;
    currency: string | null;
    settlement_id: string | null;
    reason: string | null;
    updated_at: Generated<Date>;
  };
  bank_inbox: {
    event_id: string;
    kind: 'fact' | 'credit';
    subject: string;
    transaction_id: string | null;
    /** JSON; a payer's name in it is sealed. */
    event: string;
    status: Generated<'new' | 'done' | 'needs_attention'>;
    reason: string | null;
    received_at: Generated<Date>;
    done_at: Date | null;
    done_by: string | null;
    note_sealed: string | null;
  };
  notifications: {
    id: string;
    transaction_id: string;
    kind: string;
    channel: string;
    recipient_id: string | null;
    status: Generated<'due' | 'sent' | 'given_up'>;
    attempts: Generated<number>;
    next_at: Generated<Date>;
    last_error: string | null;
    created_at: Generated<Date>;
  };
  cursors: { name: string; block: bigint };
  snapshots: { block: bigint; at: Date; made_at: Generated<Date> };
  snapshot_balances: { account_id: string; block: bigint; balance: bigint };
  reconciliations: {
    id: string;
    run: string;
    scope: ReconciliationScope;
    status: Generated<ReconciliationStatus>;
    checked: Generated<bigint>;
    error: string | null;
    started_at: Generated<Date>;
    ended_at: Date | null;
  };
  reconciliation_findings: { reconciliation_id: string; kind: string; subject: string; detail: string };
  bank_statement_lines: {
    settlement_id: string;
    kind: 'collection' | 'payout' | 'return' | 'credit';
    reference: string | null;
    transaction_id: string | null;
    amount: bigint;
    currency: string;
    at: Date;
  };
}
