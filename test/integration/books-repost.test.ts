import { sql } from 'kysely';
import { repostBooks } from '../../cli/repost';
import { systemAccountId } from '../../contracts/ids';
import type { TransferItem } from '../../contracts/transfers';
import { callOff, carryOut } from '../../ledger/carry-out';
import { RECEIVE } from '../../ledger/crossing';
import { transactionId } from '../../ledger/identity';
import { factsOf } from '../../ledger/items';
import { openShards, type Shards } from '../../ledger/shards';
import { verifyShard } from '../../ledger/verify';
import { openAccount } from '../../users/accounts';
import { anOrder, BANK_KEY, TestBank } from '../support/bank';
import { cloneDatabase, cloneShards, type TestDatabase } from '../support/database';
import { silent } from '../support/people';
import { reconcile } from '../support/reconciling';
import { COMMAND_KEY, SEAL_KEYS } from '../support/sealer';

/** Shard 1 is the one that is restored; `near` lives on shard 0, `far` on shard 1. */
let bank: TestBank;
let databases: TestDatabase[];
let shards: Shards;
let near: string;
let far: string;
let keys = 0;
/** Shard 1's database as it was at the moment. */
let kept: TestDatabase | undefined;
let since: Date;

const OWNER = 'transfer/test';
const STAFF = 'us_0_ops';

beforeAll(async () => {
  bank = await TestBank.start();
});
afterAll(() => bank.close());
beforeEach(async () => {
  databases = await cloneShards(2);
  open();
  [near, far] = [await newWallet(0, 100_00n), await newWallet(1, 100_00n)];
});
afterEach(async () => {
  for (const { db } of shards.all) expect((await verifyShard(db)).findings).toEqual([]);
  await shards.close();
  await Promise.all([...databases, ...(kept ? [kept] : [])].map((database) => database.drop()));
  kept = undefined;
});

function open(): void {
  shards = openShards({ urls: databases.map(({ appUrl }) => appUrl), log: silent, poolSize: 2, patienceMs: 2_000 });
}

/** What comes after this is lost to shard 1 by `restore`. */
async function moment(): Promise<void> {
  await shards.close();
  kept = await cloneDatabase(databases[1]!.name);
  since = new Date();
  open();
}

async function restore(): Promise<void> {
  await shards.close();
  await databases[1]!.drop();
  databases[1] = kept!;
  kept = undefined;
  open();
}

async function newWallet(shard: number, amountMinor = 0n): Promise<string> {
  const userId = `us_${shard}_user${keys++}`;
  const { db, poster } = shards.shard(shard);
  const user = { username: `user_${keys}`, password_hash: '', name_sealed: '', email_sealed: '', roles: [] };
  await db
    .insertInto('users')
    .values({ id: userId, ...user })
    .execute();
  await openAccount(shards.shard(shard), userId, 'SGD');
  const { id } = await db.selectFrom('accounts').select('id').where('owner_id', '=', userId).executeTakeFirstOrThrow();
  if (amountMinor === 0n) return id;
  const opening = transactionId(userId, 'opening');
  const sides = { from: systemAccountId(shard, '@bank', 'SGD'), to: id, amountMinor, currency: 'SGD' };
  const facts = { id: opening, type: 'opening' as const, actorId: userId, hash: opening, ...sides };
  await poster.post([{ kind: 'transfer', facts }]);
  return id;
}

function item(from: string, to: string, amountMinor: number, change: Partial<TransferItem> = {}): TransferItem {
  const id = transactionId(`us_${shardOf(from)}_actor`, `${keys++}`);
  const message = { messageSealed: `sealed ${id}` };
  return {
    id,
    hash: id,
    actor: 'us_0_actor',
    from,
    to,
    amountMinor: `${amountMinor}`,
    currency: 'SGD',
    ...message,
    ...change,
  };
}

const shardOf = (account: string) => Number(account.split('_')[1]);

async function send(from: string, to: string, amountMinor: number, change: Partial<TransferItem> = {}) {
  const sent = item(from, to, amountMinor, change);
  expect(await carryOut(shards, shardOf(from), [sent], OWNER)).toMatchObject([{ status: 'completed' }]);
  return sent;
}

async function account(id: string): Promise<{ balance: bigint; held: bigint; status: string }> {
  const { db } = shards.forId(id)!;
  return db.selectFrom('accounts').select(['balance', 'held', 'status']).where('id', '=', id).executeTakeFirstOrThrow();
}

const balance = async (id: string) => (await account(id)).balance;
const suspense = () => balance(systemAccountId(1, '@suspense', 'SGD'));
const headOf = ({ db }: Shards['all'][0]) => db.selectFrom('chain_head').selectAll().executeTakeFirstOrThrow();

async function inClearing(): Promise<bigint> {
  const all = await Promise.all(shards.all.map(({ number }) => balance(systemAccountId(number, '@clearing', 'SGD'))));
  return all.reduce((sum, each) => sum + each, 0n);
}

function row(shard: number, id: string) {
  const { db } = shards.shard(shard);
  return db.selectFrom('transactions').selectAll().where('id', '=', id).executeTakeFirst();
}

async function repost(
  options: { dryRun?: boolean; since?: Date } = {},
  at = bank,
): Promise<{ isDone: boolean; lines: string[] }> {
  const lines: string[] = [];
  const config = {
    shards: databases.map(({ appUrl: url }) => ({ url })),
    bank: { url: at.url, apiKey: BANK_KEY, webhookSecrets: [], deadlineMs: 5_000, callsPerSecond: 10 },
    reconcile: { everyMs: 0, youngMs: 0 },
    secrets: { sealKeys: SEAL_KEYS, commandKey: COMMAND_KEY },
  };
  const isDone = await repostBooks(config, { shard: 1, since, ...options }, (line) => lines.push(line));
  return { isDone, lines };
}

const summary = (done: number, left: number) => `shard 1: ${done} done, ${left} left for people`;
const crossings = async () =>
  (await reconcile({ shards, rail: bank.rail }, { scope: 'crossings' })).map(({ kind }) => kind).sort();

test('both halves that a restored shard lost are posted again: once, under their own ids, and told in its chain', async () => {
  await send(near, far, 1_00);
  await moment();
  const [came, went] = [await send(near, far, 30_00), await send(far, near, 12_00)];
  const before = await Promise.all([came, went].map(({ id }) => row(1, id)));
  await restore();
  expect(await balance(far)).toBe(101_00n);
  expect(await crossings()).toEqual(['capture_without_credit', 'clearing', 'credit_without_source']);

  const { isDone, lines } = await repost();
  expect({ isDone, last: lines.at(-1) }).toEqual({ isDone: true, last: summary(2, 0) });
  expect(await balance(far)).toBe(119_00n);
  expect(await inClearing()).toBe(0n);
  expect(await crossings()).toEqual([]);
  // As they were, but for when.
  for (const [index, { id }] of [came, went].entries()) {
    const when = { created_at: 0, created_block: 0, created_index: 0, completed_at: 0, final_block: 0 };
    expect({ ...(await row(1, id)), ...when }).toEqual({ ...before[index], ...when });
  }
  const { rows } = await sql<{ subject_id: string; detail: string }>`
    select subject_id, detail from events where kind = 'reposted' order by block, index`.execute(shards.shard(1).db);
  expect(rows.map(({ subject_id }) => subject_id)).toEqual([came.id, went.id]);
  for (const { detail } of rows) expect(JSON.parse(detail)).toEqual({ by: { actor: 'holdfast', role: 'system' } });

  const head = await headOf(shards.shard(1));
  expect((await repost()).lines).toEqual([summary(0, 0)]);
  expect(await headOf(shards.shard(1))).toEqual(head);
  // Whoever repeats them, with their own keys, is told what is.
  expect(await carryOut(shards, 0, [came], OWNER)).toMatchObject([{ status: 'completed', replayed: true }]);
  expect(await carryOut(shards, 1, [went], OWNER)).toMatchObject([{ status: 'completed', replayed: true }]);
});

test('a dry run says what would be done, and does nothing; what is older than the moment is left alone', async () => {
  await moment();
  const sent = await send(near, far, 5_00);
  await restore();
  const head = await headOf(shards.shard(1));
  const { isDone, lines } = await repost({ dryRun: true });
  expect({ isDone, lines }).toEqual({
    isDone: true,
    lines: [
      `${sent.id}: credit of 500 SGD to ${far} would be posted again`,
      'shard 1: 1 to be done, 0 left for people',
    ],
  });
  expect((await repost({ since: new Date() })).lines).toEqual([summary(0, 0)]);
  expect(await headOf(shards.shard(1))).toEqual(head);
});

test('a credit to a wallet that is gone or closed waits in @suspense; a frozen wallet has it', async () => {
  const [closed, frozen] = [await newWallet(1), await newWallet(1)];
  const { poster } = shards.shard(1);
  await poster.post([{ kind: 'close', accountId: closed, actorId: STAFF }]);
  await poster.post([{ kind: 'freeze', accountId: frozen, actorId: STAFF }]);
  await moment();
  const gone = await newWallet(1);
  const { poster: now } = shards.shard(1);
  await now.post([{ kind: 'reopen', accountId: closed, actorId: STAFF }]);
  await now.post([{ kind: 'unfreeze', accountId: frozen, actorId: STAFF }]);
  const sent = [await send(near, gone, 1_00), await send(near, closed, 2_00), await send(near, frozen, 4_00)];
  await restore();

  const { isDone, lines } = await repost();
  expect(isDone).toBe(true);
  expect(lines.filter((line) => line.endsWith('posted again: in_suspense'))).toHaveLength(2);
  expect(await suspense()).toBe(3_00n);
  expect(await balance(frozen)).toBe(4_00n);
  expect(await crossings()).toEqual([]);
  expect(await row(1, sent[0]!.id)).toMatchObject({ status: 'completed', reason: 'in_suspense', to_account: gone });
  expect((await repost()).lines).toEqual([summary(0, 0)]);
});

test('a debit that can’t be paid any more is left with what is missing, and paid once the money is there', async () => {
  const [poor, rich] = [await newWallet(1, 3_00n), await newWallet(1, 50_00n)];
  await moment();
  const inside = await send(rich, poor, 20_00);
  const sent = await send(poor, near, 15_00);
  await restore();

  const head = await headOf(shards.shard(1));
  const left = `${sent.id}: debit of 1500 SGD from ${poor} is left: insufficient_funds, 300 is there and 1200 missing`;
  expect(await repost()).toEqual({ isDone: false, lines: [left, summary(0, 1)] });
  expect(await headOf(shards.shard(1))).toEqual(head);
  expect(await inClearing()).toBe(-15_00n);
  expect(await crossings()).toEqual(['credit_without_source']);

  // Its customer repeats what was inside the shard, with the same key.
  expect(await carryOut(shards, 1, [inside], OWNER)).toMatchObject([{ status: 'completed', replayed: false }]);
  expect((await repost()).lines.at(-1)).toBe(summary(1, 0));
  expect(await balance(poor)).toBe(8_00n);
  expect(await crossings()).toEqual([]);
});

test('a debit that comes before the credit it needs is tried again after it', async () => {
  const poor = await newWallet(1, 5_00n);
  await moment();
  await send(poor, near, 5_00);
  await send(near, poor, 7_00);
  await send(poor, near, 1_00);
  await restore();
  // Spent before anybody knew what was lost.
  await send(poor, far, 4_00);
  expect((await repost()).lines.at(-1)).toBe(summary(3, 0));
  expect(await balance(poor)).toBe(2_00n);
  expect(await crossings()).toEqual([]);
});

test('a debit of a wallet that is gone, or frozen, is left with the reason', async () => {
  const frozen = await newWallet(1, 5_00n);
  await moment();
  const gone = await newWallet(1, 9_00n);
  const sent = [await send(gone, near, 9_00), await send(frozen, near, 5_00)];
  await restore();
  await shards.shard(1).poster.post([{ kind: 'freeze', accountId: frozen, actorId: STAFF }]);
  expect((await repost()).lines).toEqual([
    `${sent[0]!.id}: debit of 900 SGD from ${gone} is left: unknown_wallet`,
    `${sent[1]!.id}: debit of 500 SGD from ${frozen} is left: wallet_frozen`,
    summary(0, 2),
  ]);
});

test('refunds are posted again with what they give back, and count there once', async () => {
  await moment();
  const [came, went] = [await send(near, far, 10_00), await send(far, near, 8_00)];
  const back = { type: 'refund' as const };
  await send(far, near, 4_00, { ...back, linkedTo: came.id });
  await send(near, far, 3_00, { ...back, linkedTo: went.id });
  await restore();
  expect((await repost()).lines.at(-1)).toBe(summary(4, 0));
  expect(await row(1, came.id)).toMatchObject({ refunded: 4_00n });
  expect(await row(1, went.id)).toMatchObject({ refunded: 3_00n });
  expect(await balance(far)).toBe(101_00n);
  expect(await crossings()).toEqual([]);
  const tooMuch = item(far, near, 6_01, { ...back, linkedTo: came.id });
  expect(await carryOut(shards, 1, [tooMuch], OWNER)).toMatchObject([{ status: 'rejected', reason: 'nothing_left' }]);
});

test('what is held goes on by itself; what was only written down is debited by its row', async () => {
  const [held, pended] = [item(far, near, 6_00), item(far, near, 2_00)];
  const { poster } = shards.shard(1);
  await poster.post([{ kind: 'transfer', facts: factsOf(held), owner: OWNER }]);
  await poster.post([{ kind: 'pend', facts: factsOf(pended), owner: OWNER }]);
  await moment();
  expect(await carryOut(shards, 1, [held, pended], OWNER)).toMatchObject([
    { status: 'completed' },
    { status: 'completed' },
  ]);
  await restore();
  expect(await crossings()).toEqual(['credit_without_hold']);
  expect((await repost()).lines).toEqual([`${pended.id}: debit of 200 SGD from ${far} posted again`, summary(1, 0)]);
  expect(await account(far)).toMatchObject({ balance: 98_00n, held: 6_00n });
  expect(await carryOut(shards, 1, [held], OWNER)).toMatchObject([{ status: 'completed' }]);
  expect(await account(far)).toMatchObject({ balance: 92_00n, held: 0n });
  expect(await crossings()).toEqual([]);
});

test('a credit that was forbidden is forbidden again: what was still under way never lands', async () => {
  const [cancelled, refused] = [item(near, far, 5_00), item(near, far, 6_00)];
  const { poster } = shards.shard(0);
  await poster.post([cancelled, refused].map((each) => ({ kind: 'transfer', facts: factsOf(each), owner: OWNER })));
  await moment();
  expect(await callOff(shards, 0, cancelled, OWNER)).toMatchObject({ status: 'cancelled' });
  await shards.shard(1).poster.post([{ kind: 'freeze', accountId: far, actorId: STAFF }]);
  expect(await carryOut(shards, 0, [refused], OWNER)).toMatchObject([{ status: 'rejected', reason: 'wallet_frozen' }]);
  await restore();
  expect((await repost()).lines.at(-1)).toBe(summary(2, 0));
  for (const each of [cancelled, refused]) {
    const late = await shards.shard(1).poster.post([{ kind: 'receive', facts: factsOf(each) }]);
    expect(late).toMatchObject([{ kind: 'step', step: RECEIVE, outcome: 'tombstone' }]);
  }
  expect(await balance(far)).toBe(100_00n);
  expect((await repost()).lines).toEqual([summary(0, 0)]);
});

describe('what the bank has moved', () => {
  let other: TestBank;
  beforeEach(async () => {
    other = await TestBank.start();
  });
  afterEach(() => other.close());

  /** A withdrawal as the shard has it, and its reference at the bank. */
  async function withdrawal(status: 'pending' | 'awaiting_approval'): Promise<string> {
    const id = transactionId('us_1_actor', `${keys++}`);
    const sides = { from: far, to: systemAccountId(1, '@bank', 'SGD'), amountMinor: 1_00n, currency: 'SGD' };
    const facts = { id, type: 'withdrawal' as const, actorId: 'us_1_actor', hash: id, ...sides };
    await shards.shard(1).poster.post([{ kind: 'hold', facts, step: 'hold', owner: `withdrawal/${id}`, status }]);
    return `${id}:payout:1`;
  }

  const inbox = () =>
    shards.shard(1).db.selectFrom('bank_inbox').select(['subject', 'kind', 'status']).orderBy('received_at').execute();

  test('is told to the inbox once, and to people where the shard knows too little of it', async () => {
    const [going, waiting] = [await withdrawal('pending'), await withdrawal('awaiting_approval')];
    const { db } = shards.shard(1);
    const request = { step: 'payout', attempt: 1, state: 'sending' as const, amount: null, currency: null };
    const known = { settlement_id: null, reason: null, transaction_id: going.split(':')[0]!, reference: going };
    await db
      .insertInto('bank_requests')
      .values({ ...request, ...known })
      .execute();
    const unasked = await withdrawal('pending');
    await moment();
    const gone = `${transactionId('us_1_actor', 'gone')}:collect:1`;
    for (const reference of [going, waiting, unasked]) {
      await other.rail.payOut(anOrder({ reference, amountMinor: 1_00n }));
    }
    await other.rail.collect(anOrder({ reference: gone, amountMinor: 9_00n }));
    await other.rail.payOut(anOrder({ reference: `${transactionId('us_0_actor', 'not ours')}:payout:1` }));
    await other.control.credit({ virtualAccount: '8800019', amountMinor: 7_00n, currency: 'SGD', payer: 'A Payer' });
    await restore();

    const told = [
      expect.stringMatching(`^${going}: payout st_.* of -100 SGD: in the inbox again$`),
      expect.stringMatching(`^${waiting}: payout .*: its approval was lost; approve it before that expires$`),
      expect.stringMatching(
        `^${gone}: collection .* of 900 SGD: its transaction is not there; it is in the inbox until`,
      ),
      expect.stringMatching('^cr_.*: credit cr_.* of 700 SGD: nobody has booked it'),
    ] as string[];
    expect((await repost({ dryRun: true }, other)).lines).toHaveLength(5);
    expect(await inbox()).toEqual([]);
    for (const _run of ['once', 'again']) {
      const { isDone, lines } = await repost({}, other);
      expect(isDone).toBe(false);
      expect(lines).toEqual([...told, summary(1, 3)]);
      expect(await inbox()).toEqual([going, gone].map((subject) => ({ subject, kind: 'fact', status: 'new' })));
    }
  });
});
