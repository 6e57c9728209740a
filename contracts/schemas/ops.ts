import { z } from 'zod';
import { RECONCILIATION_SCOPES, RECONCILIATION_STATUSES } from '../reconciliation';
import { TRANSACTION_TYPES } from '../statuses';
import { currency, nextCursor, note, oldestOrNewest, page, text, timestamp } from './parts';
import { transaction } from './transactions';

export const attentionQuery = z.strictObject({
  ...page,
  order: oldestOrNewest,
  type: z.enum(TRANSACTION_TYPES).optional(),
  status: z.enum(['needs_attention', 'awaiting_approval']).optional(),
  reason: text(100).min(1).optional(),
  currency: currency.optional(),
});
export const attentionItem = z
  .strictObject({
    transaction,
    since: timestamp.meta({ description: 'When it came to stand as it does' }),
    lastError: z.string().nullable(),
    workflowId: z.string().nullable().meta({ description: 'The workflow that owns it' }),
    workflowUrl: z
      .string()
      .nullable()
      .meta({ description: 'Its page in the Temporal Web UI, where that is configured' }),
  })
  .meta({ id: 'AttentionItem' });
export const attentionList = z.strictObject({ data: z.array(attentionItem), nextCursor }).meta({ id: 'AttentionList' });

export const inboxQuery = z.strictObject({ cursor: page.cursor, limit: page.limit, order: oldestOrNewest });
export const inboxItem = z
  .strictObject({
    eventId: z.string(),
    shard: z.number().int(),
    kind: z.enum(['fact', 'credit']),
    subject: z.string().meta({ description: 'A fact’s reference; a credit’s own number' }),
    state: z.string().nullable().meta({ description: 'What a fact says of its reference' }),
    virtualAccount: z.string().nullable().meta({ description: 'Where a credit was paid into' }),
    payer: z.string().nullable().meta({ description: 'Who paid a credit' }),
    amount: z.string().nullable().meta({ description: 'Decimal string; of an unknown currency, in minor units' }),
    currency: z.string().nullable(),
    transactionId: z.string().nullable(),
    reason: z.string().nullable(),
    receivedAt: timestamp,
  })
  .meta({ id: 'InboxItem' });
export const inboxList = z.strictObject({ data: z.array(inboxItem), nextCursor }).meta({ id: 'InboxList' });
export const inboxResolution = z.strictObject({ note }).meta({ id: 'InboxResolution' });
export const reconciliationsQuery = z.strictObject({
  cursor: page.cursor,
  limit: page.limit,
  order: z.enum(['oldest', 'newest']).default('newest'),
});
const reconciliationFields = {
  id: z.string().meta({ example: 'rc_0_crossings-6f1c2d0e-0000-4000-8000-000000000000' }),
  run: z.string().meta({ description: 'The parts that were started together have the same' }),
  shard: z.number().int(),
  scope: z.enum(RECONCILIATION_SCOPES).meta({
    description:
      'books: a shard’s own; crossings: the transfers between the shards; bank: its statement and our entries',
  }),
  status: z.enum(RECONCILIATION_STATUSES),
  checked: z.number().int().meta({ description: 'How many entries, transfers and lines were looked at' }),
  error: z.string().nullable().meta({ description: 'Why it failed' }),
  startedAt: timestamp,
  endedAt: timestamp.nullable(),
};
const finding = z
  .strictObject({
    kind: z.string().meta({ description: 'What is wrong: see docs/reconciliation.md', example: 'credit_without_hold' }),
    subject: z.string().meta({ description: 'Which block, transaction, account or reference of the bank' }),
    detail: z.string(),
  })
  .meta({ id: 'ReconciliationFinding' });
export const reconciliation = z
  .strictObject({ ...reconciliationFields, findings: z.array(finding) })
  .meta({ id: 'Reconciliation' });
export const reconciliationItem = z
  .strictObject({ ...reconciliationFields, findings: z.number().int().meta({ description: 'How many' }) })
  .meta({ id: 'ReconciliationItem' });
export const reconciliationList = z
  .strictObject({ data: z.array(reconciliationItem), nextCursor })
  .meta({ id: 'ReconciliationList' });
export const reconciliationStart = z.strictObject({ run: z.string() }).meta({ id: 'ReconciliationStart' });

const whoOrWhat = (description: string) => text(300).min(1).optional().meta({ description });
export const auditQuery = z.strictObject({
  ...page,
  order: z.enum(['oldest', 'newest']).default('newest').meta({ description: 'Which come first' }),
  actor: whoOrWhat('Who did it: a username, or an id'),
  subject: whoOrWhat('What it was done to: a username, a wallet such as yunus.SGD, or an id'),
  kind: text(100).min(1).optional().meta({ description: 'Such as user_frozen' }),
});
export const auditItem = z
  .strictObject({
    id: z.string().meta({ description: 'Its place: shard, block and index', example: 'ev_0_17_0' }),
    at: timestamp,
    actor: z.string().meta({ description: 'The id of who did it; `holdfast` is the system itself' }),
    role: z.string().nullable(),
    key: z.string().nullable().meta({ description: 'The API key that did it in their name' }),
    kind: z.string(),
    subject: z.string(),
    requestId: z.string().nullable(),
    address: z.string().nullable().meta({ description: 'Where the request came from' }),
    note: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()).meta({ description: 'What changed' }),
  })
  .meta({ id: 'AuditItem' });
export const auditList = z.strictObject({ data: z.array(auditItem), nextCursor }).meta({ id: 'AuditList' });

export type AttentionItemView = z.infer<typeof attentionItem>;
export type ReconciliationItemView = z.infer<typeof reconciliationItem>;
export type InboxItemView = z.infer<typeof inboxItem>;
export type AuditItemView = z.infer<typeof auditItem>;
