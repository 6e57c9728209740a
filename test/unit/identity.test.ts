import { createHmac } from 'node:crypto';
import { base32, commandHash, shardOfUsername, transactionId } from '../../ledger/identity';

// Fixed for ever: were any of these to change, no user and no retry would be found again. ids.test.ts has the plain cases.
describe('what is derived from a name or a key never changes', () => {
  test('a shard is counted from the unsigned first 32 bits, so that it is never negative', () => {
    expect(['abc', 'hello', 'person_1', 'person_2'].map((name) => shardOfUsername(name, 9999))).toEqual([
      5193, 2529, 5617, 7245,
    ]);
  });

  test('a transaction’s id, of keys with any characters', () => {
    const user = 'us_3_bbbbbbbbbbbbbbbbbbbbbbbbbb';
    const ids = ['1', 'Zahlung für Müller', '🙂', 'a\0b'].map((key) => transactionId(user, key));
    expect(ids).toEqual([
      'tx_3_hu5efqcml5cd4hzn3bqsf6s5iq',
      'tx_3_slyirbjf3v4xheohyufwhu77ma',
      'tx_3_vxmmlrixywo6k4teu5d5s7dud4',
      'tx_3_n5dd2ah2nqpdzkrwpst6tbqmai',
    ]);
  });

  test('a command’s hash, with and without a message', () => {
    const facts = { type: 'transfer', from: 'A.JPY', to: 'b.JPY', currency: 'JPY', amountMinor: 10n ** 15n };
    const hashes = [null, '', 'ありがとう "quoted"'].map((message) => commandHash('a key', { ...facts, message }));
    expect(hashes).toEqual([
      'IGCrNgeLVI1dsJhRG0dBhbw-xGZvWy7yxLjd8UEJGEo',
      '5sJ5shNv1l2C91mmeqvh2jjh0X3lPWMi2NofNOLaRiY',
      'PmYAAHN09GYfas3hjMD6b8q12PxuqvnV_hS1KBL9HUA',
    ]);
  });

  test('base32 of every bit set, of none, and of a digest', () => {
    const digest = createHmac('sha256', 'k').update('v').digest();
    const texts = [Buffer.alloc(16, 0xff), Buffer.alloc(16), digest].map(base32);
    expect(texts).toEqual([
      '77777777777777777777777774',
      'aaaaaaaaaaaaaaaaaaaaaaaaaa',
      'yxkl4gms2ugtwqpzuijjf7dhukfbjbx4msqfc7jx7gxyi7qhglpa',
    ]);
  });
});

describe('what must never be confused', () => {
  test('a text that is no user’s id makes no transaction id', () => {
    expect(() => transactionId('yunus', 'key')).toThrow(TypeError);
  });
});
