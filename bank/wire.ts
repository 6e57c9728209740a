import { z } from 'zod';
import type { BankEvent, BankFact } from './rail';

/** What travels between Holdfast and the bank, as JSON. Amounts are whole minor units as text, like "1250". */

const amount = z
  .string()
  .regex(/^[1-9]\d{0,17}$/, 'must be a whole positive number of minor units, as text')
  .transform(BigInt);
const signedAmount = z
  .string()
  .regex(/^-?[1-9]\d{0,17}$/, 'must be a whole number of minor units, as text')
  .transform(BigInt);
const text = (longest: number) => z.string().min(1).max(longest);
const currency = z.string().regex(/^[A-Z]{3}$/, 'must be three capital letters');

const account = z.object({ holder: text(200), number: text(64), bankCode: text(64) });

export const accountSchema = account;

export const orderSchema = z.object({ reference: text(200), amountMinor: amount, currency, account });

const settled = { amountMinor: amount, currency, settlementId: text(100) };

/** Money that moved always says how much, and under which number: a fact that doesn't is none. */
export const factSchema: z.ZodType<BankFact> = z.discriminatedUnion('state', [
  z.object({ reference: text(200), state: z.literal('accepted') }),
  z.object({ reference: text(200), state: z.literal('settled'), ...settled }),
  z.object({ reference: text(200), state: z.literal('returned'), ...settled, reason: text(100).optional() }),
  z.object({ reference: text(200), state: z.literal('refused'), reason: text(100) }),
  z.object({ reference: text(200), state: z.literal('voided') }),
  z.object({ reference: text(200), state: z.literal('unknown') }),
]);

export const accountCheckSchema = z.object({ ok: z.boolean(), reason: text(100).optional() });

export const creditSchema = z.object({
  creditId: text(100),
  virtualAccount: text(64),
  amountMinor: amount,
  currency,
  payer: text(200),
});

export const newCreditSchema = creditSchema.omit({ creditId: true });

const statementLine = z.object({
  settlementId: text(100),
  reference: text(200).optional(),
  kind: z.enum(['collection', 'payout', 'return', 'credit']),
  amountMinor: signedAmount,
  currency,
  at: z.iso.datetime(),
});

export const statementPageSchema = z.object({ lines: z.array(statementLine), nextCursor: text(100).optional() });

export const statementQuerySchema = z.object({
  day: z.iso.date(),
  currency,
  cursor: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(500),
});

const eventSchema: z.ZodType<BankEvent> = z.discriminatedUnion('kind', [
  z.object({ id: text(100), kind: z.literal('fact'), at: z.iso.datetime(), fact: factSchema }),
  z.object({ id: text(100), kind: z.literal('credit'), at: z.iso.datetime(), credit: creditSchema }),
]);

export const deliverySchema = z.object({ events: z.array(eventSchema) });

export const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? each.toString() : each));
}
