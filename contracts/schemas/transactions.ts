import { z } from 'zod';
import { TRANSACTION_STATUSES, TRANSACTION_TYPES } from '../statuses';
import {
  amountText,
  bankAccountId,
  currency,
  maskedNumber,
  nextCursor,
  note,
  page,
  shownWallet,
  text,
  timestamp,
  transactionId,
  walletId,
} from './parts';

export const idempotencyKey = text(255)
  .min(1)
  .regex(/^[\x21-\x7e]+$/, 'must be 1 to 255 visible ASCII characters')
  .meta({ description: 'Yours to choose, one per thing asked for; sending it again never moves money twice' });

export const transferRequest = z
  .strictObject({ from: walletId, to: walletId, amount: amountText, message: text(500).optional() })
  .meta({ id: 'TransferRequest' });
export const paymentRequest = z
  .strictObject({ wallet: walletId, amount: amountText, bankAccount: text(64).min(1) })
  .meta({ id: 'PaymentRequest' });
export const MAX_WAIT_SECONDS = 30;
export const paymentQuery = z.strictObject({
  wait: z.coerce
    .number()
    .int()
    .min(0)
    .max(MAX_WAIT_SECONDS)
    .optional()
    .meta({ description: 'How many seconds to wait for the outcome' }),
});
export const refundRequest = z
  .strictObject({
    amount: amountText.optional(),
    message: text(500).optional(),
  })
  .meta({ id: 'RefundRequest' });
export const adjustmentRequest = z
  .strictObject({
    wallet: walletId,
    amount: z.string().min(1).max(65).meta({
      description: "In the currency's own digits; with a minus sign it takes away",
      example: '-12.50',
      pattern: '^-?(0|[1-9][0-9]*)(\\.[0-9]+)?$',
    }),
    reason: text(500).min(1),
  })
  .meta({ id: 'AdjustmentRequest' });

export const decisionRequest = z.strictObject({ note: note.optional() }).meta({ id: 'DecisionRequest' });
export const resolveRequest = z
  .strictObject({ outcome: z.enum(['completed', 'cancelled']), note })
  .meta({ id: 'ResolveRequest' });

export const transaction = z
  .strictObject({
    id: transactionId,
    type: z.enum(TRANSACTION_TYPES),
    status: z.enum(TRANSACTION_STATUSES),
    from: shownWallet,
    to: shownWallet,
    amount: amountText,
    currency,
    message: z.string().nullable(),
    reason: z.string().nullable().meta({ description: 'Why it was rejected, cancelled, or needs attention' }),
    linkedTo: transactionId.nullable().meta({ description: 'The transaction that this one gives back or undoes' }),
    bankAccount: z
      .strictObject({ id: bankAccountId, number: maskedNumber })
      .nullable()
      .meta({ description: 'The bank account on the other side' }),
    createdAt: timestamp,
    completedAt: timestamp.nullable(),
    links: z.strictObject({ self: z.string() }),
  })
  .meta({ id: 'Transaction' });
export const timelineEvent = z
  .strictObject({ at: timestamp, event: z.string(), detail: z.string().nullable() })
  .meta({ id: 'TimelineEvent' });
export const transactionWithTimeline = z
  .strictObject({
    ...transaction.shape,
    refunded: amountText.nullable().meta({ description: 'How much of it refunds have given back' }),
    timeline: z.array(timelineEvent),
  })
  .meta({ id: 'TransactionWithTimeline' });
export const transactionList = z
  .strictObject({ data: z.array(transaction), nextCursor })
  .meta({ id: 'TransactionList' });

export const transactionsQuery = z.strictObject({
  ...page,
  type: z.enum(TRANSACTION_TYPES).optional(),
  status: z.enum(TRANSACTION_STATUSES).optional(),
  wallet: walletId.optional(),
});

export type TransactionView = z.infer<typeof transaction>;
export type TransactionWithTimelineView = z.infer<typeof transactionWithTimeline>;
export type TransferRequest = z.infer<typeof transferRequest>;
