import { systemAccountId } from '../../contracts/ids';
import type { Command, DecisionCommand, Outcome, TransactionFacts } from '../../ledger/commands';
import { Poster } from '../../ledger/poster';
import { verifyShard } from '../../ledger/verify';
import { BANK, TestBooks } from '../support/books';
import { silent } from '../support/people';

const SUSPENSE = systemAccountId(0, '@suspense', 'SGD');
const owner = 'withdrawal/x';

let books: TestBooks;
let other: Poster;
let decisions = 0;
beforeAll(async () => {
  books = await TestBooks.create(2);
  other = new Poster({ shard: 0, url: books.database.appUrl, log: silent });
});
afterEach(async () => {
  expect((await verifyShard(books.shards.shard(0).db)).findings).toEqual([]);
});
afterAll(async () => {
  await other?.close();
  await books?.close();
});

const post = async (command: Command, by = books.poster) => (await by.post([command]))[0]!;
const about = (facts: TransactionFacts, decision: DecisionCommand['decision'], actorId: string): DecisionCommand => ({
  kind: 'decision',
  id: `d${decisions++}`,
  transactionId: facts.id,
  decision,
  actorId,
  role: 'ops',
  noteSealed: 'sealed',
  ...(decision === 'resolve' && { outcome: 'completed' }),
});
const withdrawal = (): TransactionFacts => ({
  ...books.facts(books.wallets[0]!, BANK, 1_00n),
  type: 'withdrawal',
  bankAccountId: 'ba_1',
});
const held = async (facts = withdrawal()) => {
  await post({ kind: 'hold', facts, step: 'hold', owner, status: 'awaiting_approval' });
  return facts;
};
const account = async (id: string) => {
  const { rows } = await books.owner.query<{ balance: bigint; held: bigint }>(
    'select balance, held from accounts where id = $1',
    [id],
  );
  return rows[0]!;
};

test('an approval and its expiry that race never both happen', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => held()));
  const races = all.map((facts, n): [Promise<Outcome>, Promise<Outcome>] => {
    const end = { step: 'release', holdStep: 'hold', status: 'cancelled', reason: 'approval_expired' } as const;
    const expiry: Command = { kind: 'release', facts, ...end, onlyWhile: 'awaiting_approval' };
    const approval = about(facts, 'approve', 'us_0_b');
    return n % 2 === 0 ? [post(approval), post(expiry, other)] : [post(approval, other), post(expiry)];
  });
  for (const [approval, expiry] of races) {
    const [approved, expired] = await Promise.all([approval, expiry]);
    if (approved.kind === 'decision') expect(expired).toEqual({ kind: 'refused', reason: 'step_not_possible' });
    else {
      expect(approved).toEqual({ kind: 'refused', reason: 'not_awaiting_approval' });
      expect(expired).toMatchObject({ status: 'cancelled', reason: 'approval_expired' });
    }
  }
  // Ends those that were approved.
  for (const facts of all) {
    await post({ kind: 'capture', facts, step: 'capture', holdStep: 'hold', to: BANK });
  }
  expect(await account(books.wallets[0]!)).toMatchObject({ held: 0n });
});

test('a rejection gives back what is held although it names no wallet', async () => {
  const facts = await held();
  const before = await account(facts.from);
  expect(await post(about(facts, 'reject', 'us_0_b'))).toMatchObject({ state: 'final', status: 'cancelled' });
  expect(await account(facts.from)).toEqual({ ...before, held: before.held - 1_00n });
});

test('two people who resolve at once, through two posters, are a proposal and its confirmation', async () => {
  const facts = withdrawal();
  await post({ kind: 'hold', facts, step: 'hold', owner });
  await post({ kind: 'attention', facts, owner, reason: 'stuck', lastError: 'oh' });
  const answers = await Promise.all([
    post(about(facts, 'resolve', 'us_0_b')),
    post(about(facts, 'resolve', 'us_0_c'), other),
  ]);
  expect(answers.map((each) => each.kind === 'decision' && each.state).sort()).toEqual(['final', 'proposed']);
  await post({ kind: 'capture', facts, step: 'capture', holdStep: 'hold', to: BANK, movedMinor: 90n });
});

test('a decision asked for fifty times at once is written once', async () => {
  const facts = await held();
  const approve = about(facts, 'approve', 'us_0_b');
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => post(approve, n % 2 ? other : books.poster)));
  expect(new Set(answers.map((each) => JSON.stringify(each))).size).toBe(1);
  const { rows } = await books.owner.query('select state from decisions where transaction_id = $1', [facts.id]);
  expect(rows).toEqual([{ state: 'final' }]);
});

test('what the bank moved is in its account to the cent, and the rest in suspense, whatever became of the customer’s', async () => {
  const look = async () => [(await account(BANK)).balance, (await account(SUSPENSE)).balance] as const;
  const [bank, suspense] = await look();
  const deposit = (to: string): TransactionFacts => ({ ...books.facts(BANK, to, 5_00n), type: 'deposit' });
  const facts = withdrawal();
  const outcomes = await books.poster.post([
    { kind: 'hold', facts, step: 'hold', owner },
    { kind: 'credit', facts: deposit(books.wallets[1]!), movedMinor: 5_10n },
    { kind: 'credit', facts: deposit('ac_0_gone') },
    { kind: 'cancel', facts: deposit(books.wallets[1]!), reason: 'resolved', movedMinor: 5_00n },
    { kind: 'capture', facts, step: 'capture', holdStep: 'hold', to: BANK, movedMinor: 90n },
  ]);
  expect(outcomes.map((each) => each.kind === 'transaction' && each.status)).toEqual([
    'pending',
    'completed',
    'completed',
    'cancelled',
    'completed',
  ]);
  const moved = [-5_10n, -5_00n, -5_00n, 90n].reduce((sum, each) => sum + each, 0n);
  expect(await look()).toEqual([bank + moved, suspense + 10n + 5_00n + 5_00n + 10n]);
  const { rows } = await books.owner.query('select bank_account_id from transactions where id = $1', [facts.id]);
  expect(rows).toEqual([{ bank_account_id: 'ba_1' }]);
});
