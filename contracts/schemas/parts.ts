import { z } from 'zod';
import { LIMIT_KINDS, LIMIT_PERIODS } from '../limits';

export const timestamp = z.iso.datetime().meta({ description: 'UTC, ISO 8601', example: '2026-01-31T09:30:00.000Z' });
export const walletId = z
  .string()
  .regex(/^[A-Za-z0-9_]{3,32}\.[A-Za-z]{3}$/, 'must look like yunus.SGD')
  .meta({ description: 'A wallet: username and currency', example: 'yunus.SGD' });
export const shownWallet = z.string().meta({ description: 'A wallet as shown', example: 'yunus.SGD' });
export const amountText = z
  .string('must be a string such as "12.50", not a JSON number')
  .min(1)
  .max(64)
  // For readers of openapi.json only: parseAmount says more exactly what is wrong.
  .meta({
    description: "A decimal string in the currency's own digits",
    example: '12.50',
    pattern: '^(0|[1-9][0-9]*)(\\.[0-9]+)?$',
  });
export const signedAmount = z.string().meta({ description: 'Signed decimal string', example: '-12.50' });
export const currency = z
  .string()
  .length(3)
  .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as SGD')
  .meta({ description: 'ISO 4217', example: 'SGD' });
export const transactionId = z.string().meta({ example: 'tx_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' });
export const nextCursor = z
  .string()
  .nullable()
  .meta({ description: 'Give it as `cursor` for the next page; null at the end' });
// Postgres keeps no NUL in a text, and a lone surrogate is no UTF-8.
export const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !value.includes('\u0000') && value.isWellFormed(), 'must be well-formed text');

export const emailAddress = z
  .email()
  .max(254)
  .refine((email) => email.indexOf('@') <= 64, 'must have at most 64 characters before the @');

export const bankAccountId = z.string().meta({ example: 'ba_0_aaaaaaaaaaaaaaaaaaaaaaaaaa' });
export const maskedNumber = z.string().meta({ description: 'Masked', example: '****6789' });
/** As people write it, with spaces and in any case; what must be left is told by the pattern. */
export const plainCode = (max: number, pattern: RegExp, message: string) =>
  text(max)
    .transform((value) => value.replaceAll(/\s+/g, '').toUpperCase())
    .pipe(z.string().regex(pattern, message));

export const note = text(1000).min(1);
const limit = z.coerce.number().int().min(1).max(200).default(50);
export const page = {
  cursor: text(200).min(1).optional().meta({ description: 'The `nextCursor` of the page before' }),
  limit: limit.meta({ description: 'How many, at most 200' }),
  since: timestamp.optional().meta({ description: 'Created at or after' }),
  until: timestamp.optional().meta({ description: 'Created before' }),
};
export const oldestOrNewest = z.enum(['oldest', 'newest']).default('oldest').meta({ description: 'Which come first' });
export const limitFields = {
  kind: z.enum(LIMIT_KINDS),
  period: z.enum(LIMIT_PERIODS).meta({ description: 'Which begins at midnight UTC' }),
  limit: amountText,
  used: amountText.meta({ description: 'What has been moved in this period, or is on its way' }),
  left: amountText,
  resetsAt: timestamp.meta({ description: 'When the next period begins' }),
};
