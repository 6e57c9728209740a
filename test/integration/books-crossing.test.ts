import { systemAccountId } from '../../contracts/ids';
import type { TransferItem } from '../../contracts/transfers';
import { callOff, carryOut } from '../../ledger/carry-out';
import { RECEIVE } from '../../ledger/crossing';
import { transactionId } from '../../ledger/identity';
import { factsOf } from '../../ledger/items';
import { openShards, type Shards } from '../../ledger/shards';
import { verifyShard } from '../../ledger/verify';
import { openAccount } from '../../users/accounts';
import { cloneShards, type TestDatabase } from '../support/database';
import { silent } from '../support/people';

let databases: TestDatabase[];
let shards: Shards;
/** A wallet on each shard. */
let wallets: string[];
let keys = 0;

const OWNER = 'transfer/test';

beforeAll(async () => {
  databases = await cloneShards(2);
  shards = openShards({ urls: databases.map(({ appUrl }) => appUrl), log: silent, poolSize: 2, patienceMs: 2_000 });
});
afterAll(async () => {
  await shards.close();
  await Promise.all(databases.map((database) => database.drop()));
});

beforeEach(async () => {
  wallets = await Promise.all(shards.all.map(({ number }) => newWallet(number, 100_00n)));
});
afterEach(async () => {
  for (const { db } of shards.all) expect((await verifyShard(db)).findings).toEqual([]);
  expect(await inClearing()).toBe(0n);
});

async function newWallet(shard: number, amountMinor: bigint): Promise<string> {
  const userId = `us_${shard}_user${keys++}`;
  const { db, poster } = shards.shard(shard);
  const user = { username: `user_${keys}`, password_hash: '', name_sealed: '', email_sealed: '', roles: [] };
  await db
    .insertInto('users')
    .values({ id: userId, ...user })
    .execute();
  await openAccount(shards.shard(shard), userId, 'SGD');
  const { id } = await db.selectFrom('accounts').select('id').where('owner_id', '=', userId).executeTakeFirstOrThrow();
  const opening = transactionId(userId, 'opening');
  const from = systemAccountId(shard, '@bank', 'SGD');
  const facts = {
    id: opening,
    type: 'opening',
    actorId: userId,
    hash: opening,
    from,
    to: id,
    amountMinor,
    currency: 'SGD',
  } as const;
  await poster.post([{ kind: 'transfer', facts }]);
  return id;
}

function item(from: string, to: string, amountMinor: number, change: Partial<TransferItem> = {}): TransferItem {
  const id = transactionId(`us_${from.split('_')[1]}_actor`, `${keys++}`);
  return { id, hash: id, actor: 'us_0_actor', from, to, amountMinor: `${amountMinor}`, currency: 'SGD', ...change };
}

const carry = (each: TransferItem) => carryOut(shards, Number(each.from.split('_')[1]), [each], OWNER);

async function account(id: string): Promise<{ balance: bigint; held: bigint; status: string }> {
  const { db } = shards.forId(id)!;
  return db.selectFrom('accounts').select(['balance', 'held', 'status']).where('id', '=', id).executeTakeFirstOrThrow();
}

async function inClearing(): Promise<bigint> {
  const balances = await Promise.all(
    shards.all.map(({ number }) => account(systemAccountId(number, '@clearing', 'SGD'))),
  );
  return balances.reduce((sum, { balance }) => sum + balance, 0n);
}

test('money crosses to another shard: held, credited, captured, and both sides can read it', async () => {
  const [from, to] = wallets as [string, string];
  const sent = item(from, to, 30_00);
  expect(await carry(sent)).toMatchObject([{ status: 'completed', replayed: false }]);
  expect(await account(from)).toMatchObject({ balance: 70_00n, held: 0n });
  expect(await account(to)).toMatchObject({ balance: 130_00n });
  for (const [shard, incoming] of [
    [0, false],
    [1, true],
  ] as const) {
    const { db } = shards.shard(shard);
    const row = await db.selectFrom('transactions').selectAll().where('id', '=', sent.id).executeTakeFirst();
    expect(row).toMatchObject({ status: 'completed', incoming });
  }
  expect(await carry(sent)).toMatchObject([{ status: 'completed', replayed: true }]);
  expect(await account(to)).toMatchObject({ balance: 130_00n });
});

test('what the source cannot spend is rejected there, and the target never hears of it', async () => {
  const [from, to] = wallets as [string, string];
  const sent = item(from, to, 100_01);
  expect(await carry(sent)).toMatchObject([{ status: 'rejected', reason: 'insufficient_funds' }]);
  const { db } = shards.shard(1);
  expect(await db.selectFrom('transactions').select('id').where('id', '=', sent.id).executeTakeFirst()).toBeUndefined();
});

test('a target that refuses gives the held money back with its reason, and stays with its refusal', async () => {
  const [from, to] = wallets as [string, string];
  const { poster } = shards.shard(1);
  await poster.post([{ kind: 'freeze', accountId: to, actorId: 'us_0_ops' }]);
  const sent = item(from, to, 5_00);
  expect(await carry(sent)).toMatchObject([{ status: 'rejected', reason: 'wallet_frozen' }]);
  await poster.post([{ kind: 'unfreeze', accountId: to, actorId: 'us_0_ops' }]);
  const [late] = await poster.post([{ kind: 'receive', facts: factsOf(sent) }]);
  expect(late).toMatchObject({ kind: 'transaction', status: 'rejected' });
  expect(await account(from)).toMatchObject({ balance: 100_00n, held: 0n });
  expect(await account(to)).toMatchObject({ balance: 100_00n });
});

describe('after a crash', () => {
  const tried = async (sent: TransferItem) => {
    const [outcome] = await shards.shard(0).poster.post([{ kind: 'transfer', facts: factsOf(sent), owner: OWNER }]);
    expect(outcome).toMatchObject({ kind: 'transaction', status: 'pending' });
  };
  const received = (sent: TransferItem) => shards.shard(1).poster.post([{ kind: 'receive', facts: factsOf(sent) }]);

  test('behind the hold, the transfer goes forward when it is run again', async () => {
    const [from, to] = wallets as [string, string];
    const sent = item(from, to, 10_00);
    await tried(sent);
    expect(await account(from)).toMatchObject({ balance: 100_00n, held: 10_00n });
    expect(await carry(sent)).toMatchObject([{ status: 'completed' }]);
    expect(await account(to)).toMatchObject({ balance: 110_00n });
  });

  test('behind the credit there is only forward: a cancel comes too late, and captures', async () => {
    const [from, to] = wallets as [string, string];
    const sent = item(from, to, 10_00);
    await tried(sent);
    await received(sent);
    expect(await callOff(shards, 0, sent, OWNER)).toMatchObject({ status: 'completed' });
    expect(await account(from)).toMatchObject({ balance: 90_00n, held: 0n });
    expect(await account(to)).toMatchObject({ balance: 110_00n });
  });

  test('a cancel before the credit forbids it first: what was still travelling never lands', async () => {
    const [from, to] = wallets as [string, string];
    const sent = item(from, to, 10_00);
    await tried(sent);
    expect(await callOff(shards, 0, sent, OWNER)).toMatchObject({ status: 'cancelled' });
    expect(await received(sent)).toMatchObject([{ kind: 'step', step: RECEIVE, outcome: 'tombstone' }]);
    expect(await carry(sent)).toMatchObject([{ status: 'cancelled', replayed: true }]);
    expect(await account(from)).toMatchObject({ balance: 100_00n, held: 0n });
    expect(await account(to)).toMatchObject({ balance: 100_00n });
  });

  test('a cancel before anything was tried leaves nothing to try', async () => {
    const [from, to] = wallets as [string, string];
    const sent = item(from, to, 10_00);
    expect(await callOff(shards, 0, sent, OWNER)).toMatchObject({ status: 'cancelled' });
    expect(await carry(sent)).toMatchObject([{ status: 'cancelled' }]);
    expect(await account(from)).toMatchObject({ balance: 100_00n, held: 0n });
  });

  test('a cancel and a run of the same transfer at once agree on one end', async () => {
    const [from, to] = wallets as [string, string];
    const all = Array.from({ length: 30 }, () => item(from, to, 1_00));
    const ends = await Promise.all(
      all.map(async (sent) => {
        const [ran, off] = await Promise.all([carry(sent), callOff(shards, 0, sent, OWNER)]);
        const [after] = await carry(sent);
        return { ran: ran[0]!.status, off: off.status, after: after!.status };
      }),
    );
    for (const { ran, off, after } of ends) expect([ran, off]).toEqual([after, after]);
    const completed = ends.filter(({ after }) => after === 'completed').length;
    expect(await account(from)).toMatchObject({ balance: 100_00n - BigInt(completed) * 100n, held: 0n });
    expect(await account(to)).toMatchObject({ balance: 100_00n + BigInt(completed) * 100n });
  });
});

test('refunds back to the first shard never exceed the transfer, and what never arrives is free again', async () => {
  const [from, to] = wallets as [string, string];
  const sent = item(from, to, 10_00);
  await carry(sent);
  const back = (amountMinor: number) => item(to, from, amountMinor, { type: 'refund', linkedTo: sent.id });
  await shards.shard(0).poster.post([{ kind: 'freeze', accountId: from, actorId: 'us_0_ops' }]);
  expect(await carry(back(6_00))).toMatchObject([{ status: 'rejected', reason: 'wallet_frozen' }]);
  await shards.shard(0).poster.post([{ kind: 'unfreeze', accountId: from, actorId: 'us_0_ops' }]);
  const refunds = await Promise.all(Array.from({ length: 12 }, () => carry(back(1_00))));
  const statuses = refunds.map(([result]) => result!.status).sort();
  expect(statuses).toEqual([...Array<string>(10).fill('completed'), 'rejected', 'rejected']);
  expect(await account(from)).toMatchObject({ balance: 100_00n });
  expect(await account(to)).toMatchObject({ balance: 100_00n, held: 0n });
});

test('hundreds of transfers both ways at once lose nothing and hold nothing', async () => {
  const people = [...wallets, ...(await Promise.all([newWallet(0, 100_00n), newWallet(1, 100_00n)]))];
  const before = await Promise.all(people.map(account));
  const items = Array.from({ length: 400 }, (_, n) => {
    const from = people[n % 4]!;
    return item(
      from,
      people[(n % 4) + (n % 3) + 1 > 3 ? (n + (n % 3) + 1) % 4 : (n % 4) + (n % 3) + 1]!,
      1 + (n % 900),
    );
  });
  const results = (await Promise.all(items.map(carry))).flat();
  expect(results.every(({ status }) => status === 'completed' || status === 'rejected')).toBe(true);
  const after = await Promise.all(people.map(account));
  const total = (all: { balance: bigint }[]) => all.reduce((sum, { balance }) => sum + balance, 0n);
  expect(total(after)).toBe(total(before));
  expect(after.every(({ held }) => held === 0n)).toBe(true);
});
