/**
 * Deposits, withdrawals, adjustments, and what comes of the bank's own news: what the API, their workflows and the
 * activities say to each other. Workflows carry a transaction's id and nothing else of it: every step reads the facts
 * from Postgres, so that a reset, a restart or a second run does nothing twice.
 */
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { TransactionStatus, TransactionType } from './statuses';

export interface PaymentSettings {
  /** How long the automatic retries of one step go on before a person is asked. */
  attentionAfterMs: number;
  /** How often it tries by itself while it waits for a person. */
  slowBeatMs: number;
  /** The bank tells by webhook; it is also asked, at first after this long, then less and less often. */
  pollFirstMs: number;
  pollMaxMs: number;
  /** A person is told when the bank has taken something on and not settled it for this long. */
  settleWithinMs: number;
  /** A request for approval that nobody answers ends after this long. */
  approvalWithinMs: number;
}

export interface PaymentInput {
  id: string;
  /** It has just been asked for: its first call to the bank needn't queue behind those that are tried again. */
  isNew?: boolean;
  settings: PaymentSettings;
  /** Carried over when a long wait goes on as a new run. */
  cancelAsked?: boolean;
}

/** What there is to do next, as the facts in Postgres say. */
export type NextStep =
  | 'nothing'
  /** Waits for a second person. */
  | 'approval'
  /** Ask the bank to do it. */
  | 'send'
  /** Have the bank forbid it, unless it is done. */
  | 'void'
  /** The bank has it: wait for its word, or ask. */
  | 'settlement'
  /** Only a person can say how it goes on. */
  | 'attention';

/** How a payment stands: read from Postgres, after everything that could be booked has been. */
export interface Situation {
  status: TransactionStatus;
  /** Why it ended as it did, or why it can't go on. */
  reason?: string;
  next: NextStep;
  /** What happened since the last look, in words for the timeline. */
  news: string[];
  /** When it was asked for, in ms: how long approval is waited for counts from then, whichever run waits. */
  askedAt?: number;
  /** How many cancels people have decided on: one that could not be told to the workflow is learnt of here. */
  cancels?: number;
}

/** What the bank answered to a step, in words for the timeline. */
export interface BankAnswer {
  reference: string;
  state: string;
  reason?: string;
}

export type CancelAnswer = 'cancelled' | 'too_late' | 'under_way';

/** An incoming credit, or a bank account to check: named by its own id. */
export interface CreditInput {
  shard: number;
  eventId: string;
}
export interface BankAccountInput {
  id: string;
}

/** Who asked for what nobody of ours asked for. */
export const BANK_ACTOR = '@bank';

export const paymentWorkflowTypes = {
  deposit: 'deposit',
  withdrawal: 'withdrawal',
  adjustment: 'adjustment',
  credit: 'credit',
  bankAccount: 'bankAccount',
} as const;

/** Whether a transaction of this type has a payment's workflow; the others are transfers. */
export function isPayment(type: TransactionType): boolean {
  return type === 'deposit' || type === 'withdrawal' || type === 'adjustment';
}

/** Payments' workflows, and each one's first call to the bank; every API process and worker serves it. */
export const PAYMENT_TASK_QUEUE = 'holdfast-payments';
/** All other calls to the bank: a queue of their own, so that their rate has a limit that holds over all workers. */
export const BANK_TASK_QUEUE = 'holdfast-bank';

/** The workflow that owns a transaction of this type: each kind its own prefix. */
export function ownerWorkflowId(type: TransactionType, transactionId: string): string {
  return `${type === 'refund' || type === 'opening' ? 'transfer' : type}/${transactionId}`;
}
/** The transaction that a workflow of this id owns; undefined for those that own none, or many. */
export function transactionOfWorkflow(workflowId: string): string | undefined {
  return /^\w+\/(tx_.+)$/.exec(workflowId)?.[1];
}
export const creditWorkflowId = (creditId: string) => `credit/${creditId}`;
export const bankAccountWorkflowId = (id: string) => `bank-account/${id}`;

/** Something about this transaction is new in Postgres: the bank's word, or a person's decision. */
export const newsSignal = defineSignal('news');
/** Undo, and say whether that was still possible. The `cancel` signal means the same and gets no answer. */
export const cancelUpdate = defineUpdate<CancelAnswer>('cancel');
