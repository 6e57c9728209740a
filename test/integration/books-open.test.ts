import type { TransactionType } from '../../contracts/statuses';
import { factsOf } from '../../ledger/items';
import { openTransactions } from '../../ledger/open-transactions';
import { BANK, TestBooks } from '../support/books';

let books: TestBooks;
beforeAll(async () => {
  books = await TestBooks.create(2);
});
afterAll(() => books?.close());

test('every transaction that has not ended is found, of any type, with all it takes to go on', async () => {
  const [a, b] = books.wallets as [string, string];
  const asked = (type: TransactionType, from: string, to: string, more: object = {}) => ({
    ...books.facts(from, to, 1_00n),
    type,
    ...more,
  });
  const open = [
    asked('transfer', a, b),
    asked('refund', b, a, { linkedTo: 'tx_0_x' }),
    asked('deposit', BANK, a, { bankAccountId: 'ba_0_x' }),
  ];
  const waits = asked('withdrawal', a, BANK, { bankAccountId: 'ba_0_x' });
  await books.poster.post([
    ...open.map((facts) => ({ kind: 'pend' as const, facts, owner: 'workflow' })),
    { kind: 'hold', facts: waits, step: 'hold', owner: 'workflow', status: 'awaiting_approval' },
    { kind: 'cancel', facts: asked('deposit', BANK, b), reason: 'asked' },
  ]);
  const { db } = books.shards.shard(0);
  const found = await openTransactions(db, { createdBefore: new Date(Date.now() + 60_000), limit: 10 });
  expect(found).toMatchObject([
    ...open.map(({ type }) => ({ type, status: 'pending', owner: 'workflow' })),
    { type: 'withdrawal', status: 'awaiting_approval', bankAccountId: 'ba_0_x' },
  ]);
  const [transfer, refund, deposit] = found;
  expect([transfer, refund].map((each) => factsOf(each!.item))).toEqual(open.slice(0, 2));
  expect([refund!.linkedTo, deposit!.bankAccountId]).toEqual(['tx_0_x', 'ba_0_x']);
});
