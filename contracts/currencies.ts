import { codes, data } from 'currency-codes';

/**
 * ISO 4217's exponents, from a maintained list. Its "no currency" and test codes, and the metals, funds and
 * bond-market units that the list gives no country's money for, are no money a wallet can hold.
 */
const NOT_MONEY = new Set(['XXX', 'XTS', 'XAU', 'XAG', 'XPT', 'XPD', 'XBA', 'XBB', 'XBC', 'XBD', 'XDR', 'XSU', 'XUA']);

const digitsByCode: ReadonlyMap<string, number> = new Map(
  data.filter((row) => !NOT_MONEY.has(row.code)).map((row) => [row.code, row.digits]),
);

export const currencyCodes: readonly string[] = codes().filter((code) => digitsByCode.has(code));

export function isCurrency(code: string): boolean {
  return digitsByCode.has(code);
}

/** How many decimals the currency has: 2 for SGD, 0 for JPY, 3 for KWD. */
export function digitsOf(currency: string): number {
  const digits = digitsByCode.get(currency);
  if (digits === undefined) throw new RangeError(`${currency} is not an ISO 4217 currency`);
  return digits;
}
