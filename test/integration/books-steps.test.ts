import { systemAccountId } from '../../contracts/ids';
import type { Command, Outcome } from '../../ledger/commands';
import { verifyShard } from '../../ledger/verify';
import { TestBooks } from '../support/books';

const CLEARING = systemAccountId(0, '@clearing', 'SGD');
const owner = 'transfer/x';

let books: TestBooks;
beforeEach(async () => {
  books = await TestBooks.create(2);
});
afterEach(async () => {
  const proof = await verifyShard(books.shards.shard(0).db);
  await books.close();
  expect(proof.findings).toEqual([]);
});

const post = async (command: Command) => (await books.poster.post([command]))[0]!;
const facts = (amountMinor: bigint) => books.facts(books.wallets[0]!, books.wallets[1]!, amountMinor);
const statusOf = (outcome: Outcome) => (outcome.kind === 'transaction' ? outcome.status : outcome.kind);
const wallet = async (id: string) => {
  const { rows } = await books.owner.query<{ balance: bigint; held: bigint; status: string }>(
    'select balance, held, status from accounts where id = $1',
    [id],
  );
  return rows[0]!;
};

test('money held is captured once: the wallet has less, the target more, and nothing is held any more', async () => {
  const about = facts(30_00n);
  const hold: Command = { kind: 'hold', facts: about, step: 'hold', owner, expiresAt: new Date('2030-01-01') };
  const capture: Command = { kind: 'capture', facts: about, step: 'capture', holdStep: 'hold', to: CLEARING };
  expect(statusOf(await post(hold))).toBe('pending');
  expect(await wallet(about.from)).toMatchObject({ balance: 100_00n, held: 30_00n });
  expect(statusOf(await post({ kind: 'transfer', facts: facts(70_01n) }))).toBe('rejected');
  expect(await post(hold)).toMatchObject({ status: 'pending', replayed: true });
  expect(statusOf(await post(capture))).toBe('completed');
  expect(statusOf(await post(capture))).toBe('completed');
  expect(await wallet(about.from)).toMatchObject({ balance: 70_00n, held: 0n });
  expect(await wallet(CLEARING)).toMatchObject({ balance: 30_00n });
});

test('money held is released once, and a capture that comes later moves nothing', async () => {
  const about = facts(30_00n);
  await post({ kind: 'hold', facts: about, step: 'hold', owner });
  const release: Command = {
    kind: 'release',
    facts: about,
    step: 'release',
    holdStep: 'hold',
    status: 'cancelled',
    reason: 'asked',
  };
  expect(statusOf(await post(release))).toBe('cancelled');
  expect(await post(release)).toMatchObject({ status: 'cancelled', replayed: true });
  const capture: Command = { kind: 'capture', facts: about, step: 'capture', holdStep: 'hold', to: CLEARING };
  expect(statusOf(await post(capture))).toBe('cancelled');
  expect(await wallet(about.from)).toMatchObject({ balance: 100_00n, held: 0n });
});

test('a release before its hold forbids the hold for ever', async () => {
  const about = facts(30_00n);
  await post({
    kind: 'release',
    facts: about,
    step: 'release',
    holdStep: 'hold',
    status: 'cancelled',
    reason: 'asked',
  });
  expect(statusOf(await post({ kind: 'hold', facts: about, step: 'hold', owner }))).toBe('cancelled');
  expect(await wallet(about.from)).toMatchObject({ held: 0n });
});

test('a tombstone forbids a step of a transaction that nobody has heard of yet', async () => {
  const about = facts(30_00n);
  const tombstone: Command = { kind: 'tombstone', transactionId: about.id, step: 'hold' };
  expect(await post(tombstone)).toMatchObject({ outcome: 'tombstone' });
  expect(await post(tombstone)).toMatchObject({ outcome: 'tombstone' });
  expect(await post({ kind: 'hold', facts: about, step: 'hold', owner })).toMatchObject({ outcome: 'tombstone' });
  expect(await wallet(about.from)).toMatchObject({ held: 0n });
});

test('a post that comes after its cancel is answered as cancelled, and moves nothing', async () => {
  const about = facts(30_00n);
  expect(statusOf(await post({ kind: 'cancel', facts: about, reason: 'asked' }))).toBe('cancelled');
  expect(await post({ kind: 'transfer', facts: about })).toMatchObject({ status: 'cancelled', replayed: true });
  expect(await wallet(about.from)).toMatchObject({ balance: 100_00n });
});

test('a pending row is completed by a later post exactly once, and keeps when it was made', async () => {
  const about = facts(30_00n);
  const pending = await post({ kind: 'pend', facts: about, owner });
  await post({ kind: 'attention', facts: about, owner, reason: 'stuck', lastError: 'oh' });
  const completed = await post({ kind: 'transfer', facts: about });
  expect(completed).toMatchObject({ status: 'completed', reason: null, replayed: true });
  expect(await post({ kind: 'transfer', facts: about })).toEqual(completed);
  if (pending.kind !== 'transaction' || completed.kind !== 'transaction') throw new Error('not transactions');
  expect(completed.createdAt).toEqual(pending.createdAt);
  expect(await wallet(about.from)).toMatchObject({ balance: 70_00n });
});

test('a batch of everything goes in one commit, and each is answered for itself', async () => {
  const [held, wrong, plain] = [facts(10_00n), facts(1_000_00n), facts(5_00n)];
  const before = books.poster.counts.commits;
  const outcomes = await books.poster.post([
    { kind: 'hold', facts: held, step: 'hold', owner },
    { kind: 'transfer', facts: wrong },
    { kind: 'transfer', facts: plain },
    { kind: 'transfer', facts: { ...plain, hash: 'another' } },
    { kind: 'capture', facts: held, step: 'capture', holdStep: 'hold', to: CLEARING },
    { kind: 'freeze', accountId: plain.from, actorId: 'us_0_a' },
    { kind: 'transfer', facts: facts(1n) },
    { kind: 'close', accountId: plain.to!, actorId: 'us_0_a' },
  ]);
  expect(outcomes.map(statusOf)).toEqual([
    'pending',
    'rejected',
    'completed',
    'conflict',
    'completed',
    'wallet',
    'rejected',
    'refused',
  ]);
  expect(books.poster.counts.commits).toBe(before + 1);
  expect(await wallet(plain.from)).toEqual({ balance: 85_00n, held: 0n, status: 'frozen' });
});
