import fc from 'fast-check';
import { currencyCodes, digitsOf } from '../../contracts/currencies';
import { formatAmount, MAX_AMOUNT_MINOR, parseAmount } from '../../contracts/money';

const parsed = (text: unknown, currency: string) => {
  const result = parseAmount(text, currency);
  return result.ok ? result.amountMinor : result.mistake;
};

describe('an amount', () => {
  test.each([
    ['12.50', 'SGD', 1250n],
    ['12.5', 'SGD', 1250n],
    ['12', 'SGD', 1200n],
    ['0.01', 'SGD', 1n],
    ['1200', 'JPY', 1200n],
    ['1.234', 'KWD', 1234n],
    ['10000000000000.00', 'SGD', MAX_AMOUNT_MINOR],
  ])('of %s %s is read in the digits of its own currency', (text, currency, minor) => {
    expect(parsed(text, currency)).toBe(minor);
  });

  test.each([
    [12.5, 'SGD', 'not_a_string'],
    [null, 'SGD', 'not_a_string'],
    ['', 'SGD', 'not_a_decimal'],
    ['.5', 'SGD', 'not_a_decimal'],
    ['5.', 'SGD', 'not_a_decimal'],
    ['01.00', 'SGD', 'not_a_decimal'],
    ['1,000.00', 'SGD', 'not_a_decimal'],
    [' 1.00', 'SGD', 'not_a_decimal'],
    ['1.00\n', 'SGD', 'not_a_decimal'],
    ['0x10', 'SGD', 'not_a_decimal'],
    ['１.00', 'SGD', 'not_a_decimal'],
    ['NaN', 'SGD', 'not_a_decimal'],
    ['-1.00', 'SGD', 'has_sign'],
    ['+1.00', 'SGD', 'has_sign'],
    ['1e3', 'SGD', 'has_exponent'],
    ['1.234', 'SGD', 'too_many_decimals'],
    ['1.0', 'JPY', 'too_many_decimals'],
    ['1.2345', 'KWD', 'too_many_decimals'],
    ['0', 'SGD', 'zero'],
    ['0.00', 'SGD', 'zero'],
    ['10000000000000.01', 'SGD', 'too_large'],
    ['9'.repeat(400), 'SGD', 'too_large'],
  ])('of %j %s is refused as %s', (text, currency, mistake) => {
    expect(parsed(text, currency)).toBe(mistake);
  });

  test('reads back as it was written, in every currency', () => {
    const amounts = fc.bigInt({ min: 1n, max: MAX_AMOUNT_MINOR });
    fc.assert(
      fc.property(amounts, fc.constantFrom(...currencyCodes), (minor, currency) => {
        expect(parsed(formatAmount(minor, currency), currency)).toBe(minor);
      }),
    );
  });

  test('is written with all the digits of its currency and, where negative, a minus sign', () => {
    expect(formatAmount(-5n, 'SGD')).toBe('-0.05');
    expect(formatAmount(0n, 'KWD')).toBe('0.000');
    expect(formatAmount(-1200n, 'JPY')).toBe('-1200');
    fc.assert(
      fc.property(fc.bigInt(), fc.constantFrom(...currencyCodes), (minor, currency) => {
        const [, fraction = ''] = formatAmount(minor, currency).split('.');
        expect(fraction).toHaveLength(digitsOf(currency));
      }),
    );
  });
});

describe('a currency', () => {
  test('is money that some country uses: no metal, fund, test code or "no currency"', () => {
    expect(currencyCodes).toEqual(expect.arrayContaining(['SGD', 'JPY', 'KWD', 'EUR', 'USD']));
    for (const code of ['XXX', 'XTS', 'XAU', 'XDR']) expect(currencyCodes).not.toContain(code);
  });
});
