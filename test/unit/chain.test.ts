import { blockHash, GENESIS_HASH, type ChainedTransaction } from '../../ledger/chain';

const plain: ChainedTransaction = {
  id: 'tx_0_a',
  type: 'transfer',
  actor_id: 'us_0_a',
  from_account: 'ac_0_a',
  to_account: 'ac_0_b',
  to_name_sealed: null,
  amount: 5n,
  currency: 'SGD',
  message_sealed: null,
  command_hash: 'h',
  linked_to: null,
  bank_account_id: null,
};
const at = new Date('2026-01-01T00:00:00.000Z');
const hashOf = (row: ChainedTransaction) =>
  blockHash(GENESIS_HASH, { number: 1n, at, transactions: [row], entries: [], events: [] }).toString('hex');

// Fixed for ever: were any of these to change, no chain would verify any more.
test('the hash of a block whose transactions have no links is what it was before there were any', () => {
  expect(hashOf(plain)).toBe('e5f1b5491fad819a307d5f3299fe8664735fb6c250dacac4d269cfc2d32b3b8a');
});

test('a linked transaction and a bank account are part of the hash, each in its own place', () => {
  expect([{ linked_to: 'tx_0_b' }, { bank_account_id: 'ba_0_x' }].map((link) => hashOf({ ...plain, ...link }))).toEqual(
    [
      '71db565d2ad0c6bfb3d5ce61910ffd18d5b99f4b4ade71fd838c7c03b86fcc45',
      '96f1987313e27959431626708b056ccde9ff31c6b01f0b2d9ae2a29ed700d0f7',
    ],
  );
});
