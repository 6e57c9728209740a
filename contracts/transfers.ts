/**
 * What the lane, its workflows and the activities say to each other. Names and e-mails never travel here: ids, amounts,
 * and sealed texts only. Amounts are strings of minor units, since Temporal's JSON carries no bigint.
 */
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { Refusal, TransactionStatus } from './statuses';

/** A transfer as it travels: everything decide needs, and what the row keeps to show it again. */
export interface TransferItem {
  id: string;
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
  reason?: Refusal;
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

export interface TransferGroupInput {
  shard: number;
  items: TransferItem[];
  /** After this long without an outcome the group hands each item to a workflow of its own. */
  maxAgeMs: number;
}

export interface TransferGroupResult {
  posted: number;
  splitOut: string[];
}

export interface TransferInput {
  item: TransferItem;
  /** How long automatic retries go on before a person is asked. */
  attentionAfterMs: number;
  /** How often it tries by itself while it waits for a person. */
  slowBeatMs: number;
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

export const TASK_QUEUE = 'holdfast';
export const laneTaskQueue = (shard: number) => `holdfast-lane-${shard}`;

export const groupWorkflowId = (shard: number, group: string) => `lane/${shard}/${group}`;
export const transferWorkflowId = (transactionId: string) => `transfer/${transactionId}`;
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
  currency: 'HoldfastCurrency',
} as const;
