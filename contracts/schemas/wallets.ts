import { z } from 'zod';
import { currencyCodes } from '../currencies';
import { LIMIT_KINDS } from '../limits';
import { TRANSACTION_TYPES, WALLET_STATUSES } from '../statuses';
import {
  amountText,
  currency,
  limitFields,
  nextCursor,
  note,
  page,
  shownWallet,
  signedAmount,
  timestamp,
  transactionId,
} from './parts';

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

export const walletsQuery = z.strictObject({ cursor: page.cursor, limit: page.limit });
export const entriesQuery = z.strictObject({ ...page, type: z.enum(TRANSACTION_TYPES).optional() });
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

export const freezeRequest = z
  .strictObject({ reason: note.meta({ description: 'Why, for the audit; kept sealed' }) })
  .meta({ id: 'FreezeRequest' });
export const walletStatus = z
  .strictObject({ id: shownWallet, status: z.enum(WALLET_STATUSES) })
  .meta({ id: 'WalletStatus' });
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

export type WalletView = z.infer<typeof wallet>;
export type EntryView = z.infer<typeof entry>;
export type BalanceView = z.infer<typeof balance>;
export type LimitView = z.infer<typeof limitItem>;
export type StaffLimitsView = z.infer<typeof staffLimits>;
