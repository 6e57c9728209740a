import { digitsOf } from './currencies';

/** The largest amount of one transaction, in minor units: far below bigint's end, so that balances have room. */
export const MAX_AMOUNT_MINOR = 10n ** 15n;

export type AmountMistake =
  'not_a_string' | 'not_a_decimal' | 'has_sign' | 'has_exponent' | 'too_many_decimals' | 'zero' | 'too_large';

export const amountMistakes: Record<AmountMistake, string> = {
  not_a_string: 'must be a string such as "12.50", not a JSON number',
  not_a_decimal: 'must be a plain decimal number such as "12.50"',
  has_sign: 'must not carry a sign',
  has_exponent: 'must not use an exponent',
  too_many_decimals: 'has more decimals than the currency has',
  zero: 'must be greater than zero',
  too_large: 'is above the largest amount allowed',
};

export type ParsedAmount = { ok: true; amountMinor: bigint } | { ok: false; mistake: AmountMistake };

/** Reads a client's decimal string in the currency's own digits: "12.50" SGD is 1250n, "1200" JPY is 1200n. */
export function parseAmount(text: unknown, currency: string): ParsedAmount {
  if (typeof text !== 'string') return { ok: false, mistake: 'not_a_string' };
  if (/^[+-]/.test(text)) return { ok: false, mistake: 'has_sign' };
  if (/^[0-9.]+e[+-]?[0-9]+$/i.test(text)) return { ok: false, mistake: 'has_exponent' };
  const parts = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/.exec(text);
  if (!parts) return { ok: false, mistake: 'not_a_decimal' };
  const digits = digitsOf(currency);
  const [, whole = '', fraction = ''] = parts;
  if (fraction.length > digits) return { ok: false, mistake: 'too_many_decimals' };
  if (whole.length > 18) return { ok: false, mistake: 'too_large' };
  const amountMinor = BigInt(whole + fraction.padEnd(digits, '0'));
  if (amountMinor === 0n) return { ok: false, mistake: 'zero' };
  if (amountMinor > MAX_AMOUNT_MINOR) return { ok: false, mistake: 'too_large' };
  return { ok: true, amountMinor };
}

/** Writes minor units as the currency's decimal string, with a minus sign where negative. */
export function formatAmount(amountMinor: bigint, currency: string): string {
  const digits = digitsOf(currency);
  if (digits === 0) return amountMinor.toString();
  const sign = amountMinor < 0n ? '-' : '';
  const text = (amountMinor < 0n ? -amountMinor : amountMinor).toString().padStart(digits + 1, '0');
  return `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}
