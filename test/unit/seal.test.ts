import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { decrypt, encrypt } from '../../ledger/aes';
import { Kept } from '../../ledger/kept';
import { createSealer } from '../../ledger/seal';
import { Shards } from '../../ledger/shards';
import { environmentKeys } from '../../ledger/wrapping';

const KEY = { id: 'one', key: Buffer.alloc(32, 1) };
const NEWER = { id: 'two', key: Buffer.alloc(32, 2) };
const noShards = new Shards([]);
const sealerWith = (...sealKeys: (typeof KEY)[]) => createSealer({ shards: noShards, sealKeys, commandKey: 'a key' });

describe('what is encrypted', () => {
  test('is what it was, whatever it is, with the same key and about the same', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, about) => {
        expect([...decrypt(KEY.key, encrypt(KEY.key, bytes, about), about)]).toEqual([...bytes]);
      }),
    );
  });

  test('shows neither the text nor that two are the same', () => {
    const [one, other] = [1, 2].map(() => encrypt(KEY.key, Buffer.from('yunus@example.com')));
    expect(one!.equals(other!)).toBe(false);
    expect(one!.toString('latin1')).not.toContain('yunus');
  });

  test('is refused when it was changed anywhere, cut, is about something else, or of another key', () => {
    const encrypted = encrypt(KEY.key, Buffer.from('pay nick'), 'tx_0_a/message');
    for (let at = 0; at < encrypted.length; at += 1) {
      const changed = Buffer.from(encrypted);
      changed[at]! ^= 1;
      expect(() => decrypt(KEY.key, changed, 'tx_0_a/message')).toThrow();
      expect(() => decrypt(KEY.key, encrypted.subarray(0, at), 'tx_0_a/message')).toThrow();
    }
    expect(() => decrypt(KEY.key, encrypted, 'tx_0_b/message')).toThrow();
    expect(() => decrypt(NEWER.key, encrypted, 'tx_0_a/message')).toThrow();
  });
});

describe('a text sealed before there were data keys', () => {
  test('still opens: the form never changes', async () => {
    const text = 's1.one.BwcHBwcHBwcHBwcHzwQUxhtkmjLgDvv2NgzYMsAwVshjy8ONOas2HpPw';
    expect(await sealerWith(KEY).open(text, 'anywhere')).toBe('Müller, 12.50');
    expect(await sealerWith(NEWER, KEY).open(text, 'anywhere')).toBe('Müller, 12.50');
    await expect(sealerWith(NEWER).open(text, 'anywhere')).rejects.toThrow('No key "one" is given that opens this');
  });

  test('is how everything is sealed while a release runs that reads no other', async () => {
    const sealer = createSealer({ shards: noShards, sealKeys: [KEY], commandKey: 'a key', dataKeys: false });
    const text = await sealer.seal('us_0_a', 'us_0_a/name', 'lunch');
    expect(text).toMatch(/^s1\.one\./);
    expect(await sealerWith(KEY).open(text, 'anywhere')).toBe('lunch');
    expect((await sealer.begin('us_0_a')).seal('us_0_a/name', 'lunch')).toMatch(/^s1\.one\./);
  });

  test.each(['lunch', 's1', 's1.one', 's1..', 's3.one.AAAA'])('and neither it nor anything else: %s', async (text) => {
    await expect(sealerWith(KEY).open(text, 'anywhere')).rejects.toThrow();
  });
});

describe('a data key', () => {
  test('is wrapped by the first key, and unwrapped by any, for its owner alone', async () => {
    const key = randomBytes(32);
    const wrapped = await environmentKeys([KEY]).wrap(key, 'us_0_a.1');
    const both = environmentKeys([NEWER, KEY]);
    expect(both.current).toBe('two');
    expect((await both.unwrap(wrapped, 'one', 'us_0_a.1')).equals(key)).toBe(true);
    await expect(both.unwrap(wrapped, 'one', 'us_0_b.1')).rejects.toThrow();
    await expect(environmentKeys([NEWER]).unwrap(wrapped, 'one', 'us_0_a.1')).rejects.toThrow('No key "one" is given');
  });

  test('needs a key that wraps it', () => {
    expect(() => environmentKeys([])).toThrow('at least one key');
  });
});

test('an index is the same for a text however it is written, and another for another kind, text or key', () => {
  const { index } = sealerWith(KEY);
  expect(index('email', 'Yunus@Example.com')).toBe(index('email', 'yunus@example.com'));
  expect(sealerWith(NEWER).index('email', 'a@b.c')).toBe(index('email', 'a@b.c'));
  const another = createSealer({ shards: noShards, sealKeys: [KEY], commandKey: 'another key' });
  const others = [index('username', 'a@b.c'), index('email', 'a@b.d'), another.index('email', 'a@b.c')];
  expect(others).not.toContain(index('email', 'a@b.c'));
});

describe('what is kept for a while', () => {
  afterEach(() => jest.useRealTimers());

  test('is forgotten when its time is over, and the oldest when there is too much of it', () => {
    jest.useFakeTimers();
    const kept = new Kept<number>(2, 1_000);
    kept.set('one', 1);
    jest.advanceTimersByTime(600);
    kept.set('two', 2);
    expect([kept.get('one'), kept.get('two')]).toEqual([1, 2]);
    jest.advanceTimersByTime(600);
    expect([kept.get('one'), kept.get('two')]).toEqual([undefined, 2]);
    for (const each of [3, 4]) kept.set(String(each), each);
    expect([kept.get('two'), kept.get('3'), kept.get('4')]).toEqual([undefined, 3, 4]);
  });
});
