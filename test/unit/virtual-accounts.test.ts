import fc from 'fast-check';
import { checkDigits, shardOfVirtualAccount } from '../../payments/virtual-accounts';

const numberOf = (shard: number, random: number) => {
  const body = `88${String(shard).padStart(4, '0')}${String(random).padStart(8, '0')}`;
  return body + checkDigits(body);
};
const anyNumber = fc
  .tuple(fc.integer({ min: 0, max: 9_999 }), fc.integer({ min: 0, max: 99_999_999 }))
  .map(([shard, random]) => ({ shard, number: numberOf(shard, random) }));

describe('a virtual account’s number', () => {
  // Golden: customers have given it to their banks.
  test('has the check digits it always had', () => {
    expect(numberOf(0, 12_345_678)).toBe('8800001234567881');
  });

  test('names its shard', () => {
    fc.assert(
      fc.property(anyNumber, ({ shard, number }) => {
        expect(number).toMatch(/^88\d{14}$/);
        expect(shardOfVirtualAccount(number)).toBe(shard);
      }),
    );
  });

  test('with any one digit mistyped is none', () => {
    fc.assert(
      fc.property(anyNumber, fc.nat(15), fc.integer({ min: 1, max: 9 }), ({ number }, at, by) => {
        const mistyped = number.slice(0, at) + String((Number(number[at]) + by) % 10) + number.slice(at + 1);
        expect(shardOfVirtualAccount(mistyped)).toBeUndefined();
      }),
    );
  });

  test.each(['', '88', 'NL91ABNA0417164300', '88000012345678811', ' 8800001234567881', '٨٨00001234567881'])(
    'is not %j',
    (text) => {
      expect(shardOfVirtualAccount(text)).toBeUndefined();
    },
  );
});
