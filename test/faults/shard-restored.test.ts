import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { createHttpRail } from '../../bank/http-rail';
import { packageRoot } from '../../cli/embedded/package-root';
import { exitOf } from '../../cli/embedded/processes';
import type { TransferItem } from '../../contracts/transfers';
import { callOff } from '../../ledger/carry-out';
import { shardOfUsername, transactionId } from '../../ledger/identity';
import { factsOf } from '../../ledger/items';
import { openShards, type Shards } from '../../ledger/shards';
import { verifyShard } from '../../ledger/verify';
import { Archive } from '../support/archive';
import { differencesFromBank } from '../support/bank-books';
import { askCarefully, verifiedBankAccount } from '../support/careful-client';
import { eventually } from '../support/eventually';
import { sumsAreConserved } from '../support/final-checks';
import { Load, makeWishes, type Wish } from '../support/load';
import { livesOn, makePeople, silent, type Person } from '../support/people';
import type { PostgresServer } from '../support/postgres-server';
import { reconcile } from '../support/reconciling';
import { report } from '../support/report';
import { Stack, until } from '../support/stack';
import { withBooks } from '../support/stack-books';

/** Shard 1 has a server of its own, which is lost; the bank, and shard 0, are on the other. */
const SETTLE_AFTER_MS = 10_000;
/** After the moment, and before the server is lost. */
const RETURNED_AFTER_MS = 90_000;
const PATIENTLY = { withinMs: 120_000 };

let stack: Stack;
let server: PostgresServer;
let archive: Archive;
let shards: Shards;
let near: Person[];
let far: Person[];
let everybody: Person[];

beforeAll(async () => {
  stack = await Stack.start({ servers: 2, bank: { settleAfterMs: SETTLE_AFTER_MS } });
  server = stack.servers[1]!;
  archive = await Archive.of(server, path.join(stack.folder, 'archive'));
  everybody = await makePeople(stack, 40, 1_000_00n);
  [near, far] = [everybody.filter(livesOn(0)), everybody.filter(livesOn(1))];
  shards = openShards({ urls: stack.appUrls, log: silent, poolSize: 4, patienceMs: 60_000 });
});
afterAll(async () => {
  await shards?.close();
  await stack?.stop();
});

const urls = () => stack.apis.map(({ url }) => url);
const rail = () =>
  createHttpRail({ url: stack.bank.url, apiKey: stack.secrets.HOLDFAST_BANK_API_KEY, webhookSecrets: [] });

/** As an operator runs it. */
async function holdfast(...args: string[]): Promise<{ code: number | null; said: string }> {
  const env = {
    PATH: process.env.PATH,
    ...stack.secrets,
    HOLDFAST_ENV: 'production',
    HOLDFAST_ENV_FILE: os.devNull,
    HOLDFAST_DATABASE_URLS: stack.appUrls.join(','),
    HOLDFAST_BANK_URL: stack.bank.url,
    HOLDFAST_RECONCILE_YOUNG_MS: '1',
    TEMPORAL_ADDRESS: stack.temporal.address,
  };
  const main = path.join(packageRoot(), 'dist/cli/main.js');
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const { code } = await exitOf(child);
  process.stderr.write(`  holdfast ${args.join(' ')}: ${code}, ${said.trim().split('\n').at(-1)}\n`);
  return { code, said };
}

const ours = () => [...stack.apis, ...stack.workers];
const stopAll = () => Promise.all(ours().map((each) => each.kill('SIGKILL')));
const startAll = () => Promise.all(ours().map((each) => each.start()));

async function granted(wishes: Wish[]): Promise<void> {
  const load = new Load({ wishes, urls: urls(), clients: 8 });
  await load.run();
  report(load);
  expect(load.wrongs).toEqual([]);
  expect([...load.told.values()].filter(({ status }) => status !== 'completed')).toEqual([]);
  expect(load.told.size).toBe(wishes.length);
}

const wish = (key: string, person: Person, to: Person, amountMinor: bigint): Wish => {
  return { key, person, to, amountMinor, id: transactionId(person.userId, key) };
};

interface Payment {
  kind: 'deposits' | 'withdrawals';
  person: Person;
  key: string;
  id: string;
}

const payment = (kind: Payment['kind'], person: Person, key: string): Payment => {
  return { kind, person, key, id: transactionId(person.userId, key) };
};

async function pay({ kind, person, key }: Payment): Promise<void> {
  const { token, wallet } = person;
  const body = { wallet, amount: '3.00', bankAccount: await verifiedBankAccount(urls(), token) };
  const headers = { 'idempotency-key': key };
  const { status } = await askCarefully(urls(), `/v1/${kind}`, { method: 'POST', token, body, headers });
  expect([201, 202]).toContain(status);
}

async function statusOf({ id }: { id: string }): Promise<string | undefined> {
  const { db } = shards.forId(id)!;
  return (await db.selectFrom('transactions').select('status').where('id', '=', id).executeTakeFirst())?.status;
}

const becomes = (each: { id: string }, status: string) =>
  eventually(async () => expect({ ...each, is: await statusOf(each) }).toMatchObject({ is: status }), PATIENTLY);

/** Accepted by the bank, and not settled yet. */
const isAccepted = ({ id }: Payment) =>
  until('the bank to accept', async () => {
    const { db } = shards.forId(id)!;
    const row = await db
      .selectFrom('bank_requests')
      .select('state')
      .where('transaction_id', '=', id)
      .executeTakeFirst();
    return row?.state === 'accepted';
  });

const isSettled = ({ id }: Payment) =>
  until('the bank to settle', async () => {
    const asked = await stack.bankControl.requests();
    return asked.find(({ reference }) => reference.startsWith(id))?.state === 'settled';
  });

/** By itself, with no process that goes on with it. */
function transferOf(from: Person, to: Person, key: string): TransferItem {
  const id = transactionId(from.userId, key);
  const sides = { from: from.accountId, to: to.accountId, amountMinor: '700', currency: 'SGD' };
  return { id, hash: `a hash of ${key}`, actor: from.userId, ...sides };
}

const ownerOf = ({ id }: TransferItem) => `transfer/${id}`;

async function tryIt(item: TransferItem): Promise<void> {
  const [outcome] = await shards
    .forId(item.id)!
    .poster.post([{ kind: 'transfer', facts: factsOf(item), owner: ownerOf(item) }]);
  expect(outcome).toMatchObject({ status: 'pending' });
}

/** Somebody who signs up after the moment, on shard 1. */
async function newcomer(): Promise<{ username: string; wallet: string; signUp: () => Promise<number> }> {
  let username = 'newcomer';
  for (let n = 0; shardOfUsername(username, 2) !== 1; n += 1) username = `newcomer_${n}`;
  const password = 'a long password';
  const facts = { username, password, name: 'A Newcomer', email: 'newcomer@example.com' };
  const signUp = async () => (await askCarefully(urls(), '/v1/users', { method: 'POST', body: facts })).status;
  expect(await signUp()).toBe(201);
  const session = await askCarefully(urls(), '/v1/sessions', { method: 'POST', body: { username, password } });
  const token = session.body.accessToken as string;
  const body = { currency: 'SGD' };
  expect((await askCarefully(urls(), '/v1/wallets', { method: 'POST', token, body })).status).toBe(201);
  return { username, wallet: `${username}.SGD`, signUp };
}

async function give(person: Person, to: string, key: string): Promise<void> {
  const body = { from: person.wallet, to, amount: '5.00' };
  const headers = { 'idempotency-key': key };
  const { token } = person;
  expect(await askCarefully(urls(), '/v1/transfers', { method: 'POST', token, body, headers })).toMatchObject({
    status: 201,
  });
}

async function kindsFound(): Promise<Record<string, number>> {
  const kinds: Record<string, number> = {};
  for (const { kind } of await reconcile({ shards, rail: rail() })) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
}

const headOf = async (shard: number) => {
  const { db } = shards.shard(shard);
  return (await db.selectFrom('chain_head').select('block').executeTakeFirstOrThrow()).block;
};

async function balanceOf(accountId: string): Promise<bigint> {
  const { db } = shards.forId(accountId)!;
  return (await db.selectFrom('accounts').select('balance').where('id', '=', accountId).executeTakeFirstOrThrow())
    .balance;
}

test('a shard restored to a moment gets back from the other shard and the bank all that they know, and its customers repeat the rest', async () => {
  const [checkpoint, ahead] = ['before.json', 'ahead.json'].map((name) => path.join(stack.folder, name)) as [
    string,
    string,
  ];
  const [giver, poor, saver, spender, returned] = far as [Person, Person, Person, Person, Person];
  const crowd = everybody.filter((person) => person !== poor);
  const isCrossing = ({ person, to }: Wish) => livesOn(0)(person) !== livesOn(0)(to);

  // Before the moment; the copy is taken in the middle of it.
  const first = makeWishes(crowd, 300, crowd, 'first');
  await Promise.all([granted(first), archive.backUp()]);
  await granted([wish('all_of_it', poor, giver, 1_000_00n)]);
  const early = [payment('deposits', saver, 'early'), payment('withdrawals', spender, 'early')];
  const back = payment('withdrawals', returned, 'comes_back');
  await stack.bankControl.setFaults([{ name: 'returned', reference: back.id, delayMs: RETURNED_AFTER_MS }]);
  await Promise.all([...early, back].map(pay));
  for (const each of [...early, back]) await becomes(each, 'completed');
  for (const person of [...far.slice(0, 5), near[0]!]) await verifiedBankAccount(urls(), person.token);

  // At the moment: payments that the bank has, and transfers halfway, with nobody who could go on.
  const open = [payment('deposits', saver, 'open'), payment('withdrawals', spender, 'open')];
  await Promise.all(open.map(pay));
  await Promise.all(open.map(isAccepted));
  await stopAll();
  const [held, pended] = [transferOf(giver, near[0]!, 'held'), transferOf(giver, near[1]!, 'pended')];
  const [calledOff, forbidden] = [transferOf(giver, near[2]!, 'called off'), transferOf(near[3]!, giver, 'forbidden')];
  for (const item of [held, calledOff, forbidden]) await tryIt(item);
  await shards.shard(1).poster.post([{ kind: 'pend', facts: factsOf(pended), owner: ownerOf(pended) }]);
  expect(await holdfast('audit', 'verify', '--checkpoint', checkpoint)).toMatchObject({ code: 0 });
  await Promise.all(open.map(isSettled));
  for (const each of open) expect(await statusOf(each)).toBe('pending');
  expect(await statusOf(back)).toBe('completed');
  const since = new Date();
  const headThen = await headOf(1);
  await archive.mark('the_moment');

  // After it: everything goes on, and all that shard 1 learns will be lost.
  for (const item of [calledOff, forbidden]) {
    const from = item === calledOff ? 1 : 0;
    expect(await callOff(shards, from, item, ownerOf(item))).toMatchObject({ status: 'cancelled' });
  }
  await startAll();
  for (const each of [...open, held, pended]) await becomes(each, 'completed');
  const lost = makeWishes(crowd, 300, crowd, 'lost');
  await granted(lost);
  const inside = wish('to_the_poor', giver, poor, 50_00n);
  const unpaid = wish('of_the_poor', poor, near[4]!, 30_00n);
  await granted([inside]);
  await granted([unpaid]);
  const late = [payment('deposits', saver, 'late'), payment('withdrawals', spender, 'late')];
  const elsewhere = payment('deposits', near[0]!, 'elsewhere');
  await Promise.all([...late, elsewhere].map(pay));
  for (const each of [...late, elsewhere]) await becomes(each, 'completed');
  const { wallet, signUp } = await newcomer();
  await give(near[5]!, wallet, 'welcome');
  await eventually(async () => {
    const { db } = shards.shard(1);
    const reversal = db.selectFrom('transactions').select('status').where('linked_to', '=', back.id);
    expect(await reversal.executeTakeFirst()).toEqual({ status: 'completed' });
  }, PATIENTLY);
  expect(await kindsFound()).toEqual({});
  expect(await holdfast('audit', 'verify', '--checkpoint', ahead)).toMatchObject({ code: 0 });
  const headNow = await headOf(1);

  // Lost, and restored where no process finds it yet.
  await stopAll();
  await server.kill();
  await archive.restore('the_moment');
  expect(await headOf(1)).toBe(headThen);
  expect(await holdfast('audit', 'verify', '--checkpoint', checkpoint)).toMatchObject({ code: 0 });
  const shorter = await holdfast('audit', 'verify', '--checkpoint', ahead);
  expect(shorter).toMatchObject({ code: 2 });
  expect(shorter.said).toContain(`the chain is ${headNow - headThen} blocks shorter than the checkpoint`);
  expect(shorter.said).toContain('shard 1: ');
  expect(shorter.said.match(/^ {2}\w+: /gm)).toHaveLength(1);

  const crossing = lost.filter(isCrossing);
  const [there, home] = [0, 1].map((shard) => crossing.filter(({ person }) => livesOn(shard)(person))) as [
    Wish[],
    Wish[],
  ];
  expect(there.length * home.length).toBeGreaterThan(0);
  expect(await kindsFound()).toEqual({
    clearing: 1,
    // What was lost, and the newcomer's.
    capture_without_credit: there.length + 1,
    // What was lost, and the poor's.
    credit_without_source: home.length + 1,
    credit_without_hold: 1,
    // Two that were open, two that are not there, one that came back.
    theirs_only: 5,
  });

  const repost = ['books', 'repost', '1', '--since', since.toISOString()];
  const dry = await holdfast(...repost, '--dry-run');
  expect(dry.said).toMatch(/would be posted again/);
  expect(await headOf(1)).toBe(headThen);
  const posted = await holdfast(...repost);
  // Not the poor's; with the newcomer's and the pended one. Then one forbidden, and three that the bank is asked about.
  const done = there.length + 1 + home.length + 1 + 1 + 3;
  expect(posted.code).toBe(1);
  expect(posted.said).toContain(`shard 1: ${done} done, 3 left for people`);
  expect(posted.said).toContain('insufficient_funds, 0 is there and 3000 missing');
  expect(posted.said.match(/its transaction is not there/g)).toHaveLength(2);
  expect(posted.said.match(/posted again: in_suspense/g)).toHaveLength(1);
  expect((await holdfast(...repost)).said).toContain('3 left for people');
  expect(await kindsFound()).toEqual({ credit_without_source: 1, theirs_only: 5 });

  // The processes are started. Temporal knows workflows as ended that the restored shard has as open.
  await startAll();
  for (const each of [...open, held]) await becomes(each, 'completed');
  await becomes(calledOff, 'cancelled');
  await eventually(
    async () => expect(await kindsFound()).toEqual({ credit_without_source: 1, theirs_only: 2 }),
    PATIENTLY,
  );
  const { db } = shards.shard(1);
  const unknown = db.selectFrom('bank_inbox').select('transaction_id').where('reason', '=', 'unknown_reference');
  expect((await unknown.execute()).map((row) => row.transaction_id).sort()).toEqual(late.map(({ id }) => id).sort());

  // Careful clients repeat what they are not sure of, with the keys they had.
  await granted([...first, ...lost, inside]);
  await Promise.all(late.map(pay));
  for (const each of late) await becomes(each, 'completed');
  expect(await holdfast(...repost)).toMatchObject({ code: 0 });
  expect(await signUp()).toBe(201);
  expect(await kindsFound()).toEqual({});
  expect(await holdfast('books', 'reconcile')).toMatchObject({ code: 0 });

  // Nobody has more or less than before the server was lost; the newcomer's money waits for them.
  const moved = [...first, ...lost, inside, unpaid, wish('', poor, giver, 1_000_00n)];
  const standing = new Map(everybody.map(({ accountId, openingMinor }) => [accountId, openingMinor]));
  const add = (account: string, amount: bigint) => standing.set(account, standing.get(account)! + amount);
  for (const { person, to, amountMinor } of moved) {
    add(person.accountId, -amountMinor);
    add(to.accountId, amountMinor);
  }
  for (const { from, to, amountMinor } of [held, pended]) {
    add(from, -BigInt(amountMinor));
    add(to!, BigInt(amountMinor));
  }
  for (const { kind, person } of [...early, ...open, ...late, elsewhere]) {
    add(person.accountId, kind === 'deposits' ? 3_00n : -3_00n);
  }
  add(near[5]!.accountId, -5_00n);
  for (const [account, amount] of standing) expect([account, await balanceOf(account)]).toEqual([account, amount]);
  expect(await balanceOf('ac_1_@suspense.SGD')).toBe(5_00n);
  await withBooks(stack, async (books) => {
    expect(await differencesFromBank(books, stack.bankControl)).toEqual({});
    await sumsAreConserved(books);
  });
  for (const shard of shards.all) expect((await verifyShard(shard.db)).findings).toEqual([]);
  const told = db.selectFrom('events').select('subject_id').where('kind', '=', 'reposted');
  expect(await told.execute()).toHaveLength(there.length + 1 + home.length + 1 + 1);
});
