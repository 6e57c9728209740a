import { sign, SIGNATURE_HEADER } from '../../bank/signature';
import { toJson } from '../../bank/wire';
import type { BankEvent, BankFact, IncomingCredit } from '../../bank/rail';
import { BankAccounts } from '../../payments/bank-accounts';
import { WEBHOOK_SECRET, type Answer, type TestApi, type TestUser } from './api';

let numbers = 0;

/** A bank account of the user's that the bank has been asked about. */
export async function addBankAccount(
  api: TestApi,
  user: TestUser,
  status: 'verified' | 'unverified' | 'refused' = 'verified',
): Promise<string> {
  const { shards, sealer, commandKey } = api.deps;
  const number = `NL91ABNA04171643${String((numbers += 1)).padStart(2, '0')}`;
  const details = { holder: user.username, number, bankCode: 'ABNANL2A' };
  const added = await new BankAccounts(shards, sealer, commandKey).add(user.userId, details, { actorId: user.userId });
  const { id } = added!.account;
  const { db } = shards.forId(id)!;
  await db.updateTable('bank_accounts').set({ status }).where('id', '=', id).execute();
  return id;
}

export interface PaymentFields {
  wallet: string;
  amount: string;
  bankAccount: string;
}

export function pay(
  api: TestApi,
  user: TestUser,
  kind: 'deposits' | 'withdrawals',
  key: string,
  fields: PaymentFields,
  options: { query?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const headers = { 'idempotency-key': key, ...options.headers };
  return api.post(`/v1/${kind}${options.query ?? ''}`, fields, user.token, headers);
}

export const factEvent = (id: string, fact: BankFact): BankEvent => ({ id, kind: 'fact', at: AT, fact });
export const creditEvent = (id: string, credit: IncomingCredit): BankEvent => ({ id, kind: 'credit', at: AT, credit });
const AT = '2026-01-31T09:30:00.000Z';

/** As the bank delivers its events. */
export function deliver(
  api: TestApi,
  events: BankEvent[],
  secret = WEBHOOK_SECRET,
  more: Record<string, string> = {},
): Promise<Answer> {
  const raw = toJson({ events });
  const headers = { 'content-type': 'application/json', [SIGNATURE_HEADER]: sign(secret, raw), ...more };
  return api.ask('POST', '/v1/bank/webhooks', { raw, headers });
}
