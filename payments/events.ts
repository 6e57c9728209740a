import { z } from 'zod';
import type { BankEvent, BankFact, IncomingCredit } from '../bank/rail';

const minor = z.string().regex(/^-?\d{1,19}$/);
const common = { id: z.string(), at: z.string() };

/** A bank's event as the inbox keeps it: amounts as strings, since JSON carries no bigint; the payer's name sealed. */
const storedEvent = z.discriminatedUnion('kind', [
  z.object({
    ...common,
    kind: z.literal('fact'),
    fact: z.object({
      reference: z.string(),
      state: z.enum(['accepted', 'settled', 'refused', 'returned', 'voided', 'unknown']),
      amountMinor: minor.optional(),
      currency: z.string().optional(),
      settlementId: z.string().optional(),
      reason: z.string().optional(),
    }),
  }),
  z.object({
    ...common,
    kind: z.literal('credit'),
    credit: z.object({
      creditId: z.string(),
      virtualAccount: z.string(),
      amountMinor: minor,
      currency: z.string(),
      payerSealed: z.string(),
    }),
  }),
]);
type StoredEvent = z.infer<typeof storedEvent>;

export async function writeEvent(event: BankEvent, seal: (payer: string) => Promise<string>): Promise<string> {
  return JSON.stringify(await toStored(event, seal));
}

/** The event as the bank told it, but for the payer's name. */
export type KnownEvent =
  | Extract<BankEvent, { kind: 'fact' }>
  | (Omit<Extract<BankEvent, { kind: 'credit' }>, 'credit'> & { credit: SealedCredit });
export type SealedCredit = Omit<IncomingCredit, 'payer'> & { payerSealed: string };

export function parseEvent(text: string): KnownEvent {
  const event = storedEvent.parse(JSON.parse(text));
  const { id, at } = event;
  if (event.kind === 'fact') return { id, at, kind: 'fact', fact: factOf(event.fact) };
  const { amountMinor, ...credit } = event.credit;
  return { id, at, kind: 'credit', credit: { ...credit, amountMinor: BigInt(amountMinor) } };
}

/** The fact of a stored event that tells of one. */
export function parseFact(text: string): BankFact {
  const event = storedEvent.parse(JSON.parse(text));
  if (event.kind !== 'fact') throw new TypeError('The event tells of a credit, not of a fact');
  return factOf(event.fact);
}

function factOf({ amountMinor, ...fact }: Extract<StoredEvent, { kind: 'fact' }>['fact']): BankFact {
  return { ...fact, ...(amountMinor !== undefined && { amountMinor: BigInt(amountMinor) }) };
}

async function toStored(event: BankEvent, seal: (payer: string) => Promise<string>): Promise<StoredEvent> {
  if (event.kind === 'fact') {
    const { amountMinor, ...fact } = event.fact;
    return { ...event, fact: { ...fact, ...(amountMinor !== undefined && { amountMinor: amountMinor.toString() }) } };
  }
  const { payer, amountMinor, ...credit } = event.credit;
  const sealed = { ...credit, amountMinor: amountMinor.toString(), payerSealed: await seal(payer) };
  return { ...event, credit: sealed };
}
