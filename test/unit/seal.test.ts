import fc from 'fast-check';
import { createSealer } from '../../ledger/seal';

const KEY = { id: 'one', key: Buffer.alloc(32, 1) };
const NEWER = { id: 'two', key: Buffer.alloc(32, 2) };

describe('a sealed text', () => {
  test('opens to what was sealed, whatever it is', () => {
    const sealer = createSealer([KEY]);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        expect(sealer.open(sealer.seal(text))).toBe(text);
      }),
    );
  });

  test('shows neither the text nor that two are the same', () => {
    const sealer = createSealer([KEY]);
    const [one, other] = [sealer.seal('yunus@example.com'), sealer.seal('yunus@example.com')];
    expect(one).not.toBe(other);
    expect(Buffer.from(one.split('.')[2]!, 'base64url').toString('latin1')).not.toContain('yunus');
  });

  test('of years ago still opens: the form never changes', () => {
    expect(createSealer([KEY]).open('s1.one.BwcHBwcHBwcHBwcHzwQUxhtkmjLgDvv2NgzYMsAwVshjy8ONOas2HpPw')).toBe(
      'Müller, 12.50',
    );
  });

  test('names its key: the first one seals, and every one given opens its own', () => {
    const old = createSealer([KEY]).seal('lunch');
    const both = createSealer([NEWER, KEY]);
    expect(both.seal('lunch')).toMatch(/^s1\.two\./);
    expect(both.open(old)).toBe('lunch');
    expect(() => createSealer([NEWER]).open(old)).toThrow('No key "one" opens this sealed text');
  });

  test('that was changed anywhere, or is of another key, does not open', () => {
    const sealer = createSealer([KEY]);
    const [version, id, payload] = sealer.seal('pay nick').split('.');
    const bytes = Buffer.from(payload!, 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(() => sealer.open(`${version}.${id}.${changed.toString('base64url')}`)).toThrow();
    }
    expect(() => createSealer([{ ...NEWER, id: 'one' }]).open(`${version}.${id}.${payload}`)).toThrow();
  });

  test('cut to less than its authentication tag does not open, and neither does any other text', () => {
    const sealer = createSealer([KEY]);
    const short = Buffer.from(sealer.seal('').split('.')[2]!, 'base64url');
    for (let length = 0; length < short.length; length += 1) {
      expect(() => sealer.open(`s1.one.${short.subarray(0, length).toString('base64url')}`)).toThrow();
    }
    for (const text of ['', 'lunch', 's1', 's1.one', 's2.one.AAAA', 's1..']) expect(() => sealer.open(text)).toThrow();
  });

  test('needs a key', () => {
    expect(() => createSealer([])).toThrow('at least one key');
  });
});
