import { isCurrency } from '../contracts/currencies';
import { parseWalletName, type WalletName } from '../contracts/ids';
import { amountMistakes, parseAmount } from '../contracts/money';
import { invalidRequest } from './validate';

/** An amount in the currency's own digits, or a 422 that says what is wrong with it. */
export function readAmount(amount: string, currency: string, field = '/amount'): bigint {
  const parsed = parseAmount(amount, currency);
  if (!parsed.ok) throw invalidRequest([{ field, message: amountMistakes[parsed.mistake] }]);
  return parsed.amountMinor;
}

/** A wallet's name as its schema lets it through, or a 422 when there is no such currency. */
export function readWallet(text: string, field: string): WalletName {
  const name = parseWalletName(text)!;
  if (!isCurrency(name.currency)) throw invalidRequest([{ field, message: 'names no ISO 4217 currency' }]);
  return name;
}
