/**
 * The shapes of the API, once: requests are validated with them, openapi.json is made from them, and tests hold every
 * answer against them. Unknown fields are refused.
 */
import { z } from 'zod';
import { currencyCodes } from './currencies';
import { USERNAME } from './ids';
import { LIMIT_KINDS, LIMIT_PERIODS } from './limits';
import { SCOPES } from './permissions';
import { RECONCILIATION_SCOPES, RECONCILIATION_STATUSES } from './reconciliation';
import {
  REPLICA_STATES,
  ROLES,
  TRANSACTION_STATUSES,
  TRANSACTION_TYPES,
  USER_STATUSES,
  WALLET_STATUSES,
} from './statuses';

const timestamp = z.iso.datetime().meta({ description: 'UTC, ISO 8601', example: '2026-01-31T09:30:00.000Z' });
const walletId = z
  .string()
  .regex(/^[A-Za-z0-9_]{3,32}\.[A-Za-z]{3}$/, 'must look like yunus.SGD')
  .meta({ description: 'A wallet: username and currency', example: 'yunus.SGD' });
const shownWallet = z.string().meta({ description: 'A wallet as shown', example: 'yunus.SGD' });
const amountText = z
  .string('must be a string such as "12.50", not a JSON number')
  .min(1)
  .max(64)
  // For readers of openapi.json only: parseAmount says more exactly what is wrong.
  .meta({
    description: "A decimal string in the currency's own digits",
    example: '12.50',
    pattern: '^(0|[1-9][0-9]*)(\\.[0-9]+)?$',
  });
const signedAmount = z.string().meta({ description: 'Signed decimal string', example: '-12.50' });
const currency = z
  .string()
  .length(3)
  .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as SGD')
  .meta({ description: 'ISO 4217', example: 'SGD' });
const transactionId = z.string().meta({ example: 'tx_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' });
const nextCursor = z
  .string()
  .nullable()
  .meta({ description: 'Give it as `cursor` for the next page; null at the end' });
// Postgres keeps no NUL in a text, and a lone surrogate is no UTF-8.
const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !value.includes('\u0000') && value.isWellFormed(), 'must be well-formed text');

export const idempotencyKey = text(255)
  .min(1)
  .regex(/^[\x21-\x7e]+$/, 'must be 1 to 255 visible ASCII characters')
  .meta({ description: 'Yours to choose, one per thing asked for; sending it again never moves money twice' });

const emailAddress = z
  .email()
  .max(254)
  .refine((email) => email.indexOf('@') <= 64, 'must have at most 64 characters before the @');

export const newUser = z
  .strictObject({
    username: z.string().regex(USERNAME, 'must be 3 to 32 of a-z, 0-9 and _'),
    password: text(200).min(10, 'must have at least 10 characters'),
    name: text(200).min(1),
    email: emailAddress,
  })
  .meta({ id: 'NewUser' });

export const user = z
  .strictObject({
    id: z.string(),
    username: z.string(),
    name: z.string(),
    email: z.string(),
    roles: z.array(z.enum(ROLES)),
    createdAt: timestamp,
  })
  .meta({ id: 'User' });

export const credentials = z
  .strictObject({ username: text(200).min(1), password: text(200).min(1) })
  .meta({ id: 'Credentials' });
export const session = z
  .strictObject({
    accessToken: z.string(),
    expiresAt: timestamp,
    refreshToken: z.string().meta({ description: 'Good once: each refresh gives another' }),
    refreshExpiresAt: timestamp.meta({ description: 'When the session ends, however often it is refreshed' }),
  })
  .meta({ id: 'Session' });
export const refreshRequest = z.strictObject({ refreshToken: text(200).min(1) }).meta({ id: 'RefreshRequest' });
export const liveSession = z
  .strictObject({
    id: z.string().meta({ example: 'se_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' }),
    current: z.boolean().meta({ description: 'Whether it is the one that asks' }),
    address: z.string().nullable().meta({ description: 'From where it was signed in to, or last refreshed' }),
    userAgent: z.string().nullable(),
    createdAt: timestamp,
    lastUsedAt: timestamp.meta({ description: 'To about a minute' }),
    expiresAt: timestamp,
  })
  .meta({ id: 'LiveSession' });
export const liveSessionList = z.strictObject({ data: z.array(liveSession) }).meta({ id: 'LiveSessionList' });
export const passwordChange = z
  .strictObject({
    currentPassword: text(200).min(1),
    newPassword: text(200).min(10, 'must have at least 10 characters'),
  })
  .meta({ id: 'PasswordChange' });

const scopes = z
  .array(z.enum(SCOPES, 'must be a permission that a key can have'))
  .meta({ description: 'Permissions: see docs/access.md', example: ['wallets:read'] });
export const newApiKey = z
  .strictObject({
    name: text(100).min(1).meta({ description: 'For you to tell it by' }),
    scopes: scopes.min(1).max(SCOPES.length),
    expiresInDays: z.number().int().min(1).max(365),
  })
  .meta({ id: 'NewApiKey' });
export const apiKey = z
  .strictObject({
    id: z.string().meta({ example: 'ak_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' }),
    name: z.string(),
    scopes,
    createdAt: timestamp,
    lastUsedAt: timestamp.nullable().meta({ description: 'To about a minute' }),
    expiresAt: timestamp,
  })
  .meta({ id: 'ApiKey' });
export const madeApiKey = z
  .strictObject({
    ...apiKey.shape,
    key: z.string().meta({ description: 'For `Authorization: Bearer …` or `ApiKey …`; shown only here' }),
  })
  .meta({ id: 'MadeApiKey' });
export const apiKeyList = z.strictObject({ data: z.array(apiKey) }).meta({ id: 'ApiKeyList' });

export const newWallet = z
  .strictObject({
    currency: z.enum(currencyCodes, 'must be an ISO 4217 code such as SGD').meta({ example: 'SGD' }),
  })
  .meta({ id: 'NewWallet' });
export const wallet = z
  .strictObject({
    id: shownWallet,
    currency,
    status: z.enum(WALLET_STATUSES),
    balance: signedAmount,
    held: signedAmount,
    available: signedAmount,
    createdAt: timestamp,
  })
  .meta({ id: 'Wallet' });
export const walletList = z.strictObject({ data: z.array(wallet), nextCursor }).meta({ id: 'WalletList' });

export const payee = z
  .strictObject({ walletId: shownWallet, name: z.string().meta({ description: 'Masked', example: 'Y**** Y****' }) })
  .meta({ id: 'Payee' });

export const transferRequest = z
  .strictObject({ from: walletId, to: walletId, amount: amountText, message: text(500).optional() })
  .meta({ id: 'TransferRequest' });
export const bulkRequest = z
  .strictObject({
    transfers: z
      .array(z.strictObject({ idempotencyKey, ...transferRequest.shape }))
      .min(1)
      .max(1000),
  })
  .meta({ id: 'BulkTransferRequest' });

const bankAccountId = z.string().meta({ example: 'ba_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' });
const maskedNumber = z.string().meta({ description: 'Masked', example: '****6789' });
/** As people write it, with spaces and in any case; what must be left is told by the pattern. */
const plainCode = (max: number, pattern: RegExp, message: string) =>
  text(max)
    .transform((value) => value.replaceAll(/\s+/g, '').toUpperCase())
    .pipe(z.string().regex(pattern, message));

export const newBankAccount = z
  .strictObject({
    holder: text(140)
      .transform((value) => value.trim())
      .pipe(z.string().min(1, 'must name the holder')),
    number: plainCode(64, /^[A-Z0-9]{5,34}$/, 'must be an account number or IBAN of 5 to 34 letters and digits'),
    bankCode: plainCode(32, /^[A-Z0-9]{3,11}$/, 'must be a BIC, or another code of 3 to 11 letters and digits'),
  })
  .meta({ id: 'NewBankAccount' });
export const bankAccount = z
  .strictObject({
    id: bankAccountId,
    number: maskedNumber,
    bankCode: z.string(),
    status: z.enum(['unverified', 'verified', 'refused']),
    reason: z.string().nullable().meta({ description: 'Why the bank refused it, in the bank’s own code' }),
    createdAt: timestamp,
  })
  .meta({ id: 'BankAccount' });
export const bankAccountList = z.strictObject({ data: z.array(bankAccount) }).meta({ id: 'BankAccountList' });

export const paymentRequest = z
  .strictObject({ wallet: walletId, amount: amountText, bankAccount: z.string().min(1).max(64) })
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
export const fundingInstructions = z
  .strictObject({
    virtualAccount: z
      .string()
      .meta({ description: 'Your wallet’s own number at our bank', example: '8800001234567881' }),
    currency,
    reference: z.string().meta({ description: 'What to write with the payment: it names your wallet to people' }),
  })
  .meta({ id: 'FundingInstructions' });

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

const note = text(1000).min(1);
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

export const entry = z
  .strictObject({
    id: z.string(),
    transactionId,
    type: z.enum(TRANSACTION_TYPES),
    amount: signedAmount,
    currency,
    balanceBefore: signedAmount,
    balanceAfter: signedAmount,
    counterparty: z.string(),
    message: z.string().nullable(),
    createdAt: timestamp,
  })
  .meta({ id: 'Entry' });
export const entryList = z.strictObject({ data: z.array(entry), nextCursor }).meta({ id: 'EntryList' });

const limit = z.coerce.number().int().min(1).max(200).default(50);
const page = {
  cursor: text(200).min(1).optional().meta({ description: 'The `nextCursor` of the page before' }),
  limit: limit.meta({ description: 'How many, at most 200' }),
  since: timestamp.optional().meta({ description: 'Created at or after' }),
  until: timestamp.optional().meta({ description: 'Created before' }),
};
export const walletsQuery = z.strictObject({ cursor: page.cursor, limit: page.limit });
export const entriesQuery = z.strictObject({ ...page, type: z.enum(TRANSACTION_TYPES).optional() });
export const transactionsQuery = z.strictObject({
  ...page,
  type: z.enum(TRANSACTION_TYPES).optional(),
  status: z.enum(TRANSACTION_STATUSES).optional(),
  wallet: walletId.optional(),
});

const oldestOrNewest = z.enum(['oldest', 'newest']).default('oldest').meta({ description: 'Which come first' });
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
export const balanceQuery = z.strictObject({
  at: timestamp
    .optional()
    .meta({ description: 'A past moment, UTC; left out: now', example: '2026-01-31T09:30:00.000Z' }),
});
export const balance = z
  .strictObject({
    wallet: shownWallet,
    currency: z.string(),
    balance: z.string().meta({ description: 'Decimal string', example: '12.50' }),
    at: timestamp,
  })
  .meta({ id: 'Balance' });

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

export const freezeRequest = z
  .strictObject({ reason: note.meta({ description: 'Why, for the audit; kept sealed' }) })
  .meta({ id: 'FreezeRequest' });
export const walletStatus = z
  .strictObject({ id: shownWallet, status: z.enum(WALLET_STATUSES) })
  .meta({ id: 'WalletStatus' });
export const rolesChange = z
  .strictObject({ roles: z.array(z.enum(ROLES)).min(1).max(ROLES.length) })
  .meta({ id: 'RolesChange' });
export const staffUser = z
  .strictObject({
    id: z.string(),
    username: z.string(),
    roles: z.array(z.enum(ROLES)),
    status: z.enum(USER_STATUSES),
    createdAt: timestamp,
  })
  .meta({ id: 'StaffUser', description: 'What staff needs to know of a user: nothing personal but the name' });

export const userSearch = z
  .strictObject({ email: emailAddress.meta({ description: 'In whatever case' }) })
  .meta({ id: 'UserSearch' });
export const staffUserList = z.strictObject({ data: z.array(staffUser) }).meta({ id: 'StaffUserList' });
export const erasure = z
  .strictObject({
    userId: z.string(),
    state: z.enum(['proposed', 'erased']).meta({ description: 'proposed: a second admin has to ask for the same' }),
    proposedAt: timestamp,
    erasedAt: timestamp.nullable(),
  })
  .meta({ id: 'Erasure' });

const base64 = z
  .string()
  .regex(/^[A-Za-z0-9+/]*={0,2}$/, 'must be base64')
  .meta({ description: 'Bytes, as base64' });
const payload = z
  .object({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() })
  .meta({ id: 'Payload' });
export const payloads = z
  .object({ payloads: z.array(payload).max(10_000) })
  .meta({ id: 'Payloads', description: 'As Temporal keeps them, in protobuf’s JSON' });
export type PayloadView = z.infer<typeof payload>;

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

const limitFields = {
  kind: z.enum(LIMIT_KINDS),
  period: z.enum(LIMIT_PERIODS).meta({ description: 'Which begins at midnight UTC' }),
  limit: amountText,
  used: amountText.meta({ description: 'What has been moved in this period, or is on its way' }),
  left: amountText,
  resetsAt: timestamp.meta({ description: 'When the next period begins' }),
};
export const limitItem = z.strictObject({ wallet: shownWallet, ...limitFields }).meta({ id: 'Limit' });
export const limitList = z.strictObject({ data: z.array(limitItem) }).meta({ id: 'LimitList' });
const ownLimit = amountText.nullable().meta({ description: 'null: no limit, whatever the default' });
const ownLimits = { day: ownLimit.optional(), month: ownLimit.optional() };
export const staffLimits = z
  .strictObject({
    data: z.array(limitItem).meta({ description: 'What holds for the wallet' }),
    own: z
      .partialRecord(z.enum(LIMIT_KINDS), z.strictObject(ownLimits))
      .meta({ description: 'What staff gave it; the rest is as the defaults say' }),
  })
  .meta({ id: 'StaffLimits' });
export const limitsChange = z
  .strictObject({ ...ownLimits, reason: note.meta({ description: 'Why, for the audit; kept sealed' }) })
  .refine(({ day, month }) => day !== undefined || month !== undefined, 'must have a day, a month, or both')
  .meta({ id: 'LimitsChange' });

export const webhookReceipt = z.strictObject({ received: z.number().int() }).meta({ id: 'WebhookReceipt' });

export const problem = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string().optional(),
    instance: z.string().optional(),
    requestId: z.string(),
    errors: z.array(z.strictObject({ field: z.string(), message: z.string() })).optional(),
    transaction: transaction.optional(),
    limit: z
      .strictObject(limitFields)
      .optional()
      .meta({ description: 'The limit it would have passed, as it then stood' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem+json' });

export const bulkResult = z
  .strictObject({
    results: z.array(
      z.strictObject({
        status: z.number().int(),
        transaction: transaction.optional(),
        problem: problem.optional(),
        replayed: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'BulkTransferResult' });

export const health = z.strictObject({ status: z.literal('ok') }).meta({ id: 'Health' });
export const readiness = z
  .strictObject({
    status: z.enum(['ready', 'not_ready', 'stopping']),
    checks: z.record(z.string(), z.enum(['ok', 'failed'])).meta({ description: 'Each dependency by name' }),
    replicas: z
      .record(
        z.string(),
        z.strictObject({
          state: z.enum(REPLICA_STATES),
          blocksBehind: z.number().int().nullable(),
          behindMs: z.number().int().nullable(),
        }),
      )
      .meta({ description: 'Those of shards that have one. Being ready does not depend on them' }),
  })
  .meta({ id: 'Readiness' });

export type ReadinessView = z.infer<typeof readiness>;
export type WalletView = z.infer<typeof wallet>;
export type TransactionView = z.infer<typeof transaction>;
export type TransactionWithTimelineView = z.infer<typeof transactionWithTimeline>;
export type EntryView = z.infer<typeof entry>;
export type BankAccountView = z.infer<typeof bankAccount>;
export type AttentionItemView = z.infer<typeof attentionItem>;
export type ReconciliationItemView = z.infer<typeof reconciliationItem>;
export type BalanceView = z.infer<typeof balance>;
export type InboxItemView = z.infer<typeof inboxItem>;
export type StaffUserView = z.infer<typeof staffUser>;
export type ErasureView = z.infer<typeof erasure>;
export type AuditItemView = z.infer<typeof auditItem>;
export type ApiKeyView = z.infer<typeof apiKey>;
export type LiveSessionView = z.infer<typeof liveSession>;
export type LimitView = z.infer<typeof limitItem>;
export type StaffLimitsView = z.infer<typeof staffLimits>;
export type UserView = z.infer<typeof user>;
export type ProblemView = z.infer<typeof problem>;
export type TransferRequest = z.infer<typeof transferRequest>;
