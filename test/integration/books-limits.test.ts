import { Poster } from '../../ledger/poster';
import type { Command, Outcome } from '../../ledger/commands';
import { verifyShard } from '../../ledger/verify';
import { changeLimits } from '../../users/limits';
import { Users } from '../../users/store';
import { BANK, TestBooks } from '../support/books';
import { silent } from '../support/people';
import { testSealer } from '../support/sealer';

const STAFF = { actorId: 'us_0_ops', role: 'ops' };

let books: TestBooks;
let other: Poster;
beforeAll(async () => {
  books = await TestBooks.create(12);
  other = new Poster({ shard: 0, url: books.database.appUrl, log: silent });
});
afterAll(async () => {
  await other?.close();
  await books?.close();
});

let taken = 0;
const newWallets = () => books.wallets.slice(taken, (taken += 2)) as [string, string];
const shard = () => books.shards.shard(0);
const give = (accountId: string, limits: { day?: bigint | null; month?: bigint | null } | null) =>
  changeLimits(shard(), { accountId, kind: 'transfer', limits }, STAFF);
const reasonOf = (outcome: Outcome | undefined) => (outcome?.kind === 'transaction' ? outcome.reason : outcome?.kind);

/** What left a wallet in the blocks after one. */
async function spentAfter(wallet: string, block: bigint): Promise<bigint> {
  const { rows } = await books.owner.query<{ sum: bigint }>(
    `select coalesce(-sum(amount), 0)::bigint as sum from entries where account_id = $1 and amount < 0 and block > $2`,
    [wallet, block],
  );
  return rows[0]!.sum;
}

async function blockOf(subject: string, kind: string): Promise<bigint> {
  const { rows } = await books.owner.query<{ block: bigint }>(
    'select max(block) as block from events where subject_id = $1 and kind = $2',
    [subject, kind],
  );
  return rows[0]!.block;
}

/** Many transfers through two posters, and in their midst something that is to stop them. */
async function whileSpending(from: string, to: string, stop: () => Promise<unknown>): Promise<Outcome[]> {
  let isStopped = false;
  const spend = async (poster: Poster) => {
    const outcomes: Outcome[] = [];
    for (let after = 0; after < 5; after += isStopped ? 1 : 0) {
      const commands = Array.from({ length: 3 }, () => books.transfer(from, to, 1n));
      outcomes.push(...(await Promise.all(commands.map((each) => poster.post([each])))).flat());
    }
    return outcomes;
  };
  const spending = [spend(books.poster), spend(other), spend(other)];
  await new Promise((resume) => setTimeout(resume, 100));
  await stop();
  isStopped = true;
  return (await Promise.all(spending)).flat();
}

test('two posters at once move as much as a limit allows, and not a cent more', async () => {
  const [a, b] = newWallets();
  await give(a, { day: 50_00n });
  const commands = Array.from({ length: 90 }, () => books.transfer(a, b, 1_00n));
  const outcomes = (await Promise.all(commands.map((each, n) => (n % 2 ? books.poster : other).post([each])))).flat();
  expect(outcomes.filter((each) => reasonOf(each) === null)).toHaveLength(50);
  expect(outcomes.filter((each) => reasonOf(each) === 'limit_exceeded')).toHaveLength(40);
  expect((await verifyShard(shard().db)).findings).toEqual([]);
});

test('a limit that is given in the midst of transfers holds from the block after it', async () => {
  const [a, b] = newWallets();
  const outcomes = await whileSpending(a, b, () => give(a, { day: 5n }));
  expect(outcomes.some((each) => reasonOf(each) === 'limit_exceeded')).toBe(true);
  expect(await spentAfter(a, await blockOf(a, 'limits_changed'))).toBe(5n);
  expect((await verifyShard(shard().db)).findings).toEqual([]);
});

test('a wallet frozen in the midst of transfers pays nothing from the block after it', async () => {
  const [a, b] = newWallets();
  const freeze: Command = { kind: 'freeze', accountId: a, ...STAFF };
  const outcomes = await whileSpending(a, b, () => books.poster.post([freeze]));
  expect(outcomes.some((each) => reasonOf(each) === 'wallet_frozen')).toBe(true);
  expect(await spentAfter(a, await blockOf(a, 'frozen'))).toBe(0n);
});

test('a user frozen in the midst of transfers pays nothing from the block after it, and can again once thawed', async () => {
  const [a, b] = newWallets();
  const users = new Users(books.shards, testSealer(books.shards));
  const { rows } = await books.owner.query<{ owner: string }>('select owner_id as owner from accounts where id = $1', [
    a,
  ]);
  const { owner } = rows[0]!;
  const setFrozen = (frozen: boolean) => users.setFrozen(owner, frozen, 'sealed', STAFF);
  const outcomes = await whileSpending(a, b, () => setFrozen(true));
  expect(outcomes.some((each) => reasonOf(each) === 'wallet_frozen')).toBe(true);
  expect(await spentAfter(a, await blockOf(owner, 'user_frozen'))).toBe(0n);
  await setFrozen(false);
  expect((await books.poster.post([books.transfer(a, b, 1n)])).map(reasonOf)).toEqual([null]);
});

test('a withdrawal counts once held, and no more once released; a limit is kept over a restart', async () => {
  const [a] = newWallets();
  await changeLimits(shard(), { accountId: a, kind: 'withdrawal', limits: { day: 10n, month: 100n } }, STAFF);
  const withdrawal = (amountMinor: bigint) => ({ ...books.facts(a, BANK, amountMinor), type: 'withdrawal' as const });
  const hold = (facts: ReturnType<typeof withdrawal>): Command => ({ kind: 'hold', facts, step: 'hold', owner: 'w' });
  const first = withdrawal(10n);
  expect((await books.poster.post([hold(first)])).map(reasonOf)).toEqual([null]);
  const fresh = new Poster({ shard: 0, url: books.database.appUrl, log: silent });
  expect((await fresh.post([hold(withdrawal(1n))])).map(reasonOf)).toEqual(['limit_exceeded']);
  const back = { step: 'release', holdStep: 'hold', status: 'cancelled', reason: 'asked' } as const;
  await fresh.post([{ kind: 'release', facts: first, ...back }]);
  expect((await fresh.post([hold(withdrawal(10n))])).map(reasonOf)).toEqual([null]);
  await fresh.close();
  expect((await verifyShard(shard().db)).findings).toEqual([]);
});

test('a deposit counts from when it is asked for, and what comes by itself is never refused', async () => {
  const [a] = newWallets();
  await changeLimits(shard(), { accountId: a, kind: 'deposit', limits: { month: 10n } }, STAFF);
  const deposit = () => ({ ...books.facts(BANK, a, 10n), type: 'deposit' as const });
  const asked = (): Command => ({ kind: 'pend', facts: { ...deposit(), bankAccountId: 'ba_0_x' }, owner: 'w' });
  const first = asked();
  const outcomes = await books.poster.post([first, asked(), { kind: 'credit', facts: deposit() }]);
  expect(outcomes.map(reasonOf)).toEqual([null, 'limit_exceeded', null]);
  await books.poster.post([
    { kind: 'cancel', facts: (first as { facts: ReturnType<typeof deposit> }).facts, reason: 'no' },
  ]);
  expect((await books.poster.post([asked()])).map(reasonOf)).toEqual([null]);
  expect((await verifyShard(shard().db)).findings).toEqual([]);
});

test.each([
  ['counts less than was moved', `limits_used = jsonb_set(limits_used, '{transfer,day}', '"1"')`, 'limits_used'],
  ['has a limit that nobody gave it', `limits = '{"transfer":{"day":"999999"}}'`, 'limits'],
  ['has lost a limit', 'limits = null', 'limits'],
])('a wallet that %s is found by verification', async (_what, change, kind) => {
  const [id] = books.wallets as [string];
  await books.owner.query('create temp table intact as select limits, limits_used from accounts where id = $1', [id]);
  await books.owner.query(`update accounts set ${change} where id = $1`, [id]);
  expect((await verifyShard(shard().db)).findings).toEqual([expect.objectContaining({ kind, subject: id })]);
  await books.owner.query('update accounts set (limits, limits_used) = (select * from intact) where id = $1', [id]);
  await books.owner.query('drop table intact');
});
