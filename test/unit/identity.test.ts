import { createHmac } from 'node:crypto';
import {
  base32,
  commandHash,
  derivedTransactionId,
  shardOfUsername,
  staffTransactionId,
  transactionId,
} from '../../ledger/identity';

const STAFF = 'us_3_bbbbbbbbbbbbbbbbbbbbbbbbbb';

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

  test('the id of a transaction that nobody gave a key for, and of one that staff asked for', () => {
    expect(derivedTransactionId(2, 'inbound', 'cr_1')).toBe('tx_2_vnbg65naulxi42cwb2zl6jy2ee');
    expect(staffTransactionId(STAFF, 2, 'key')).toBe('tx_2_jghx6c6aby2qalyiqtbzdc2eay');
  });

  test('a command’s hash with what a transfer has not', () => {
    const facts = {
      type: 'refund',
      from: 'nick.SGD',
      to: 'yunus.SGD',
      currency: 'SGD',
      amountMinor: 1250n,
      message: null,
    };
    expect(commandHash('key', { ...facts, linkedTo: 'tx_0_x' })).toBe('B9R40SImCgZ_jaMcTZry1T65p3-nVtMeRzEv0A38KUI');
    const others = [{}, { linkedTo: 'tx_0_y' }, { bankAccount: 'tx_0_x' }, { reason: 'tx_0_x' }];
    expect(new Set(others.map((each) => commandHash('key', { ...facts, ...each }))).size).toBe(4);
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
    expect(() => staffTransactionId('yunus', 0, 'key')).toThrow(TypeError);
  });

  test('the same key of a customer, of staff, of staff on another shard, and what has no key', () => {
    const ids = [
      transactionId(STAFF, 'key'),
      staffTransactionId(STAFF, 3, 'key'),
      staffTransactionId(STAFF, 4, 'key').replace('tx_4', 'tx_3'),
      derivedTransactionId(3, STAFF, 'key'),
      derivedTransactionId(3, STAFF, '3', 'key'),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('parts of an id that could be read in two ways are refused', () => {
    expect(() => derivedTransactionId(0, 'a\0b')).toThrow(TypeError);
  });
});
