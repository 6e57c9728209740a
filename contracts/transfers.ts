/**
 * What the lane, its workflows and the activities say to each other. Names and e-mails never travel here: ids, amounts,
 * and sealed texts only. Amounts are strings of minor units, since Temporal's JSON carries no bigint.
 */
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { TransactionStatus } from './statuses';

/** A transfer as it travels: everything decide needs, and what the row keeps to show it again. */
export interface TransferItem {
  id: string;
  /** A transfer, unless it says otherwise. */
  type?: 'transfer' | 'refund';
  /** The transaction that a refund gives back. */
  linkedTo?: string;
  /** HMAC of the parsed command: what tells a replay from a key used twice. */
  hash: string;
  actor: string;
  from: string;
  /** Absent when nobody has the typed name; decide then rejects on the sender's shard. */
  to?: string;
  /** The recipient as typed, sealed: only for an unknown recipient. */
  toNameSealed?: string;
  amountMinor: string;
  currency: string;
  messageSealed?: string;
  requestId?: string;
}

/** What the books say of one item, in the form that travels. */
export interface ItemOutcome {
  id: string;
  status: TransactionStatus;
  reason?: string;
  createdAt: string;
  completedAt?: string;
  /** The transaction was there before this command came. */
  replayed: boolean;
}

/** An item whose key was used for another command before; nothing was done. */
export interface ItemConflict {
  id: string;
  status: 'conflict';
}

/** An item that met an unexpected error; its neighbours were posted. */
export interface ItemTrouble {
  id: string;
  status: 'trouble';
  error: string;
}

export type ItemResult = ItemOutcome | ItemConflict | ItemTrouble;

/** What one lane sends with a group: transfers from one shard to another, or within one. */
export interface GroupPart {
  shard: number;
  items: TransferItem[];
}

export interface TransferGroupInput {
  parts: GroupPart[];
  settings: TransferSettings;
}

/** A group as it was started when each had one lane's transfers. */
export type TransferGroupInputBefore = GroupPart & Pick<TransferGroupInput, 'settings'>;

export interface TransferSettings {
  /** After this long without an outcome a group hands each item to a workflow of its own. */
  groupMaxAgeMs: number;
  /** How long a single transfer's automatic retries go on before a person is asked. */
  attentionAfterMs: number;
  /** How often it tries by itself while it waits for a person. */
  slowBeatMs: number;
}

/** What a group's post came to: counts for people, and who needs a workflow of its own. */
export interface PostedGroup {
  completed: number;
  rejected: number;
  other: number;
  trouble: { id: string; error: string }[];
}

export interface TransferGroupResult extends PostedGroup {
  splitOut: number;
}

export interface TransferInput {
  item: TransferItem;
  settings: TransferSettings;
  /** Carried over when a long wait goes on as a new run. */
  cancelAsked?: boolean;
}

export interface SweepInput {
  shards: number;
  /** Rows younger than this are still being worked on by whoever made them. */
  youngMs: number;
  settings: TransferSettings;
}

export interface SweptShard {
  shard: number;
  looked: number;
  restarted: number;
  /** What the bank had told and nobody had acted on. */
  news?: number;
  error?: string;
}

export interface TransferStatus {
  id: string;
  status: TransactionStatus;
  reason?: string;
  lastError?: string;
  since: string;
  timeline: { at: string; what: string }[];
}

/** Workflow types by name, so that a starter needs no workflow code. */
export const workflowTypes = { transferGroup: 'transferGroup', transfer: 'transfer', sweep: 'sweep' } as const;

/** Workflows that may take long; worker processes serve it. */
export const TASK_QUEUE = 'holdfast';
/** The lane's short groups; every API process and worker serves it. */
export const LANE_TASK_QUEUE = 'holdfast-lane';

export const groupWorkflowId = (group: string) => `lane/${group}`;
export const transferWorkflowId = (transactionId: string) => `transfer/${transactionId}`;
/** The type of the failure that says: this id belongs to another command. */
export const CONFLICT = 'Conflict';
export const SWEEP_SCHEDULE_ID = 'holdfast-sweep';

/** From the Temporal Web UI, with no payload: try again now. */
export const retrySignal = defineSignal('retry');
/** From the Temporal Web UI, with no payload: undo, if it is not too late. */
export const cancelSignal = defineSignal('cancel');
export const transferStatusQuery = defineQuery<TransferStatus>('status');
export const groupItemsQuery = defineQuery<{ id: string; status: string }[]>('items');

export const searchAttributes = {
  transactionId: 'HoldfastTransactionId',
  type: 'HoldfastType',
  status: 'HoldfastStatus',
  /** Why it needs attention, or ended otherwise than asked for. */
  reason: 'HoldfastReason',
  currency: 'HoldfastCurrency',
} as const;
