import { rebuildBooks } from '../../cli/books';
import { LIMIT_KINDS, type LimitKind } from '../../contracts/limits';
import type { Command, TransactionFacts } from '../../ledger/commands';
import { readUsage, usedIn, type StoredUsage } from '../../ledger/limits';
import { Poster } from '../../ledger/poster';
import { verifyShard } from '../../ledger/verify';
import { changeLimits } from '../../users/limits';
import { BANK, TestBooks } from '../support/books';
import { silent } from '../support/people';

const STAFF = { actorId: 'us_0_ops', role: 'ops' };

let books: TestBooks;
let poster: Poster;
let a: string;
let b: string;
let clock = new Date();
beforeEach(async () => {
  books = await TestBooks.create(2);
  [a, b] = books.wallets as [string, string];
  poster = new Poster({ shard: 0, url: books.database.appUrl, log: silent, now: () => clock });
  for (const kind of LIMIT_KINDS) {
    await changeLimits(books.shards.shard(0), { accountId: a, kind, limits: { month: 1_000n } }, STAFF);
  }
});
afterEach(async () => {
  await poster?.close();
  await books?.close();
});

const findings = async () => (await verifyShard(books.shards.shard(0).db)).findings;

const transfer = (amount: bigint) => books.facts(a, b, amount);
const withdrawal = (amount: bigint): TransactionFacts => ({ ...books.facts(a, BANK, amount), type: 'withdrawal' });
const deposit = (amount: bigint): TransactionFacts => ({
  ...books.facts(BANK, a, amount),
  type: 'deposit',
  bankAccountId: 'ba_0_x',
});

const move = (facts: TransactionFacts): Command => ({ kind: 'transfer', facts });
const pend = (facts: TransactionFacts): Command => ({ kind: 'pend', facts, owner: 'w' });
const credit = (facts: TransactionFacts): Command => ({ kind: 'credit', facts });
const cancel = (facts: TransactionFacts): Command => ({ kind: 'cancel', facts, reason: 'asked' });
const hold = (facts: TransactionFacts): Command => ({ kind: 'hold', facts, step: 'hold', owner: 'w' });
const capture = (facts: TransactionFacts): Command => ({
  ...{ kind: 'capture', facts, step: 'capture' },
  ...{ holdStep: 'hold', to: BANK },
});
const release = (facts: TransactionFacts): Command => ({
  ...{ kind: 'release', facts, step: 'release', holdStep: 'hold' },
  ...{ status: 'cancelled', reason: 'asked' },
});

async function post(time: string, ...commands: Command[]): Promise<void> {
  clock = new Date(time);
  for (const outcome of await poster.post(commands)) expect(outcome).toMatchObject({ kind: 'transaction' });
}

/** What the wallet's row says is used in the day and the month of the clock. */
async function used(): Promise<Record<LimitKind, [day: bigint, month: bigint]>> {
  const { rows } = await books.owner.query<{ used: StoredUsage }>(
    'select limits_used as used from accounts where id = $1',
    [a],
  );
  const usage = readUsage(rows[0]!.used)!;
  const ofKind = (kind: LimitKind) => (['day', 'month'] as const).map((period) => usedIn(period, usage[kind], clock));
  return Object.fromEntries(LIMIT_KINDS.map((kind) => [kind, ofKind(kind)])) as Awaited<ReturnType<typeof used>>;
}

async function expectUsed(what: Awaited<ReturnType<typeof used>>): Promise<void> {
  expect({ used: await used(), findings: await findings() }).toEqual({ used: what, findings: [] });
}

test('over the end of days and months, each counts where it began, and verification counts the same', async () => {
  const [late, kept] = [transfer(2n), transfer(500n)];
  const [w1, w2, w3, w4] = [withdrawal(10n), withdrawal(20n), withdrawal(30n), withdrawal(40n)];
  const [d1, d2] = [deposit(100n), deposit(200n)];
  await post('2031-01-31T22:00Z', move(transfer(1n)), pend(late), pend(kept), hold(w1), pend(w2), pend(d1));
  await expectUsed({ transfer: [1n, 1n], withdrawal: [10n, 10n], deposit: [100n, 100n] });
  await post('2031-01-31T23:00Z', hold(w3));
  await expectUsed({ transfer: [1n, 1n], withdrawal: [40n, 40n], deposit: [100n, 100n] });

  // Asked for in January, held or moved in February; and the other way round.
  await post('2031-02-01T01:00Z', move(late), capture(w1), hold(w2), credit(d1), pend(d2));
  await expectUsed({ transfer: [2n, 2n], withdrawal: [20n, 20n], deposit: [200n, 200n] });
  await post('2031-02-01T02:00Z', release(w3));
  await expectUsed({ transfer: [2n, 2n], withdrawal: [20n, 20n], deposit: [200n, 200n] });

  await post('2031-02-02T00:00Z', move(transfer(4n)), cancel(d2), hold(w4), capture(w2));
  await expectUsed({ transfer: [4n, 6n], withdrawal: [40n, 60n], deposit: [0n, 0n] });
  await post('2031-02-03T23:59:59.999Z', release(w4), cancel(kept));
  await expectUsed({ transfer: [0n, 6n], withdrawal: [0n, 20n], deposit: [0n, 0n] });
  await post('2031-03-01T00:00Z', move(transfer(8n)));
  await expectUsed({ transfer: [8n, 8n], withdrawal: [0n, 0n], deposit: [0n, 0n] });
});

describe('what is used of limits, changed by hand,', () => {
  const change = (to: string) => books.owner.query(`update accounts set limits_used = ${to} where id = $1`, [a]);
  const set = (kind: string, field: string, to: string) =>
    change(`jsonb_set(limits_used, '{${kind},${field}}', '"${to}"')`);

  async function rebuild(repair = false): Promise<{ isGood: boolean; lines: string[] }> {
    const lines: string[] = [];
    const { appUrl: url } = books.database;
    const say = (line: string) => lines.push(line);
    return { isGood: await rebuildBooks({ shards: [{ url, ownerUrl: undefined }] }, { repair }, say), lines };
  }

  beforeEach(async () => {
    await post('2031-01-20T00:00Z', move(transfer(900n)), hold(withdrawal(10n)));
    await post('2031-02-01T00:00Z', move(transfer(600n)), pend(deposit(70n)));
    await post('2031-02-02T00:00Z', move(transfer(300n)));
  });

  test.each([
    ['too little', () => set('transfer', 'month', '300'), '300 transfer counted today, 300 this month'],
    ['too much', () => set('transfer', 'day', '301'), '301 transfer counted today, 900 this month'],
    ['as of a month that is over', () => set('transfer', 'at', '2031-01-20T00:00:00Z'), '0 transfer counted today, 0'],
  ])('to %s, is found and set right with a trail, and holds again', async (_what, tamper, line) => {
    const before = await used();
    await tamper();
    expect(await findings()).toContainEqual(expect.objectContaining({ kind: 'limits_used', subject: a }));
    const looked = await rebuild();
    expect(looked.isGood).toBe(false);
    expect(looked.lines[0]).toContain(`${a} has ${line}`);
    expect(looked.lines[0]).toContain('should be 300, 900');

    const repaired = await rebuild(true);
    expect(repaired).toMatchObject({ isGood: true, lines: [expect.stringMatching(/: repaired$/), expect.anything()] });
    await expectUsed(before);
    expect((await rebuild()).lines).toHaveLength(1);
    const { rows } = await books.owner.query<{ detail: string }>(
      `select detail from events where kind = 'limits_used_repaired' and subject_id = $1`,
      [a],
    );
    expect(rows.map(({ detail }) => JSON.parse(detail))).toEqual([
      expect.objectContaining({ kind: 'transfer', is: { day: '300', month: '900' } }),
    ]);
    const [past, within] = [transfer(101n), transfer(100n)];
    expect(await poster.post([move(past), move(within)])).toMatchObject([
      { reason: 'limit_exceeded' },
      { status: 'completed' },
    ]);
    expect(await findings()).toEqual([]);
  });

  test('of a month that is over, is nothing’s to find any more', async () => {
    await set('withdrawal', 'month', '999');
    expect(await findings()).toEqual([]);
    expect((await rebuild()).isGood).toBe(true);
  });
});
