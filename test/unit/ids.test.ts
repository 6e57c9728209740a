import fc from 'fast-check';
import { isTransactionId, parseWalletName, shardOfId, systemAccountId, walletName } from '../../contracts/ids';
import {
  base32,
  commandHash,
  decisionId,
  newAccountId,
  newBankAccountId,
  newUserId,
  shardOfUsername,
  transactionId,
  type CommandFacts,
} from '../../ledger/identity';

describe('where things live', () => {
  // Golden: were any of these to change, no user, key or name would be found again.
  test.each([
    ['yunus', 1, 0],
    ['yunus', 4, 0],
    ['nick', 4, 0],
    ['andrew', 4, 0],
    ['house', 4, 2],
    ['yunus', 1000, 240],
  ])('the user %s of %i shards is on shard %i, for ever', (username, shards, shard) => {
    expect(shardOfUsername(username, shards)).toBe(shard);
  });

  test('a username is on one shard in whatever case it is written', () => {
    expect(shardOfUsername('YUNUS', 1000)).toBe(shardOfUsername('yunus', 1000));
  });

  test('an id carries the number of its shard', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9999 }), (shard) => {
        expect(shardOfId(newUserId(shard))).toBe(shard);
        expect(shardOfId(newAccountId(shard))).toBe(shard);
        expect(shardOfId(newBankAccountId(shard))).toBe(shard);
        expect(shardOfId(decisionId(transactionId(newUserId(shard), 'key'), 'us_0_a', 'retry'))).toBe(shard);
        expect(shardOfId(systemAccountId(shard, '@bank', 'SGD'))).toBe(shard);
        expect(shardOfId(transactionId(newUserId(shard), 'key'))).toBe(shard);
      }),
    );
  });

  test('a text that is no id names no shard', () => {
    for (const text of ['', 'tx_0_', 'tx_00_a', 'tx_-1_a', 'xx_0_aaaa', 'tx_99999_a', "tx_0_a'--"]) {
      expect(shardOfId(text)).toBeUndefined();
    }
  });
});

describe('a transaction’s id', () => {
  test('is the same for the same user and key, for ever', () => {
    expect(transactionId('us_0_aaaaaaaaaaaaaaaaaaaaaaaaaa', 'order-1')).toBe('tx_0_2ihd7ybvuitimfgctdoo3jc7zu');
  });

  test('differs by user and by key, and is always of the one form', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (one, other) => {
        const user = 'us_7_aaaaaaaaaaaaaaaaaaaaaaaaaa';
        expect(isTransactionId(transactionId(user, one))).toBe(true);
        expect(transactionId(user, one) === transactionId(user, other)).toBe(one === other);
        expect(transactionId(user, one)).not.toBe(transactionId('us_7_bbbbbbbbbbbbbbbbbbbbbbbbbb', one));
      }),
    );
  });
});

describe('a decision’s id', () => {
  const of = (actor: string, kind: string, key?: string) =>
    decisionId('tx_3_2ihd7ybvuitimfgctdoo3jc7zu', actor, kind, key);

  test('is the same for the same person, transaction, word and key, for ever', () => {
    expect(of('us_0_a', 'approve', 'k')).toBe('de_3_zlvvg4gvnse5kd3533uqqpq7si');
    const all = [of('us_0_b', 'approve', 'k'), of('us_0_a', 'reject', 'k'), of('us_0_a', 'approve', 'l')];
    expect(all).not.toContain(of('us_0_a', 'approve', 'k'));
  });

  test('without a key is new each time', () => {
    expect(of('us_0_a', 'retry')).not.toBe(of('us_0_a', 'retry'));
  });
});

describe('a command’s hash', () => {
  const facts: CommandFacts = {
    type: 'transfer',
    from: 'yunus.SGD',
    to: 'nick.SGD',
    currency: 'SGD',
    amountMinor: 1250n,
    message: 'lunch',
  };

  test('is the same for the same command under the same key, for ever', () => {
    expect(commandHash('key', facts)).toBe('OQtZ68u3jMCZeOnjUkL7-wUpPmqx3UgtzhjbsJoVj9Y');
  });

  test('does not change with the case of a name', () => {
    expect(commandHash('key', { ...facts, to: 'NICK.sgd' })).toBe(commandHash('key', facts));
  });

  test.each([
    ['type', { type: 'opening' }],
    ['source', { from: 'andrew.SGD' }],
    ['target', { to: 'andrew.SGD' }],
    ['currency', { currency: 'JPY' }],
    ['amount', { amountMinor: 1251n }],
    ['message', { message: 'Lunch' }],
    ['lack of a message', { message: null }],
  ])('changes with its %s', (_what, change) => {
    expect(commandHash('key', { ...facts, ...change })).not.toBe(commandHash('key', facts));
  });

  test('can not be made without the key', () => {
    expect(commandHash('other', facts)).not.toBe(commandHash('key', facts));
  });
});

describe('a wallet’s name', () => {
  test('is read in any case and written in one', () => {
    const name = parseWalletName('Yunus.sgd');
    expect(name).toEqual({ username: 'yunus', currency: 'SGD' });
    expect(walletName(name!)).toBe('yunus.SGD');
  });

  test.each([
    '',
    'yunus',
    'yunus.',
    '.SGD',
    'yu.SGD',
    'yunus.SGDX',
    '@bank.SGD',
    'yunus.SGD\n',
    `${'a'.repeat(33)}.SGD`,
  ])('is not %j', (text) => {
    expect(parseWalletName(text)).toBeUndefined();
  });
});

describe('base32', () => {
  // RFC 4648, section 10, in lower case and without padding.
  test.each([
    ['', ''],
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foo', 'mzxw6'],
    ['foob', 'mzxw6yq'],
    ['fooba', 'mzxw6ytb'],
    ['foobar', 'mzxw6ytboi'],
  ])('of %j is %j', (text, encoded) => {
    expect(base32(Buffer.from(text))).toBe(encoded);
  });
});
