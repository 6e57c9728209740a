import fc from 'fast-check';
import { AFTER_ALL, earlier, readCursor, writeCursor, type Position } from '../../ledger/cursor';

const positions = fc.record({
  block: fc.bigInt({ min: 0n, max: AFTER_ALL.block }),
  index: fc.integer({ min: 0, max: AFTER_ALL.index }),
});
const encode = (text: string) => Buffer.from(text).toString('base64url');

test('a cursor is read back as the position it was written for, and fits in a query string as it is', () => {
  fc.assert(
    fc.property(positions, (position) => {
      const cursor = writeCursor(position);
      expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(readCursor(cursor)).toEqual(position);
    }),
  );
});

test('its form is fixed: cursors that clients hold stay good', () => {
  expect(writeCursor({ block: 12n, index: 3 })).toBe('MS4xMi4z');
  expect(readCursor('MS4xMi4z')).toEqual({ block: 12n, index: 3 });
});

test('no text but what was written is a cursor', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const position = readCursor(text);
      expect(position === undefined || writeCursor(position) === text).toBe(true);
    }),
  );
});

test.each([
  ['nothing', ''],
  ['another version', encode('2.12.3')],
  ['a part too few', encode('1.12')],
  ['a part too many', encode('1.12.3.4')],
  ['a sign', encode('1.-12.3')],
  ['leading zeros', encode('1.012.3')],
  ['a block that Postgres can’t hold', encode(`1.${2n ** 63n}.0`)],
  ['an index that Postgres can’t hold', encode(`1.1.${2 ** 31}`)],
  ['padding', `${encode('1.1.10')}==`],
  ['another alphabet', 'MS4x+Mi4z'],
  ['a line break', `${encode('1.12.3')}\n`],
])('%s is no cursor', (_what, text) => {
  expect(readCursor(text)).toBeUndefined();
});

test('of two positions the one in the earlier block is earlier, and in one block the one of the lower index', () => {
  const order = (one: Position, other: Position) => [earlier(one, other), earlier(other, one)];
  const [a, b, c] = [
    { block: 9n, index: 5 },
    { block: 10n, index: 0 },
    { block: 10n, index: 1 },
  ];
  expect([...order(a, b), ...order(b, c), ...order(a, c)]).toEqual([a, a, b, b, a, a]);
});
