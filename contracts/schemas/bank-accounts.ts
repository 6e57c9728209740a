import { z } from 'zod';
import { bankAccountId, currency, maskedNumber, plainCode, text, timestamp } from './parts';

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

export const fundingInstructions = z
  .strictObject({
    virtualAccount: z
      .string()
      .meta({ description: 'Your wallet’s own number at our bank', example: '8800001234567881' }),
    currency,
    reference: z.string().meta({ description: 'What to write with the payment: it names your wallet to people' }),
  })
  .meta({ id: 'FundingInstructions' });

export type BankAccountView = z.infer<typeof bankAccount>;
