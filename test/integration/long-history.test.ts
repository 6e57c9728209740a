import { Kysely, PostgresDialect, type CompiledQuery } from 'kysely';
import pg from 'pg';
import type { EntryView, TransactionView } from '../../contracts/schemas';
import type { Position } from '../../ledger/cursor';
import { valueTypes } from '../../ledger/postgres';
import { listEntries, listTransactions, ownAccounts } from '../../ledger/queries';
import type { Database } from '../../ledger/schema';
import { spanOf, STRETCH } from '../../ledger/spans';
import { TestApi, type TestUser } from '../support/api';
import { History, walletOf } from '../support/history';

/** Books in which one user was busy, and then quiet while others went on: what a statistic calls frequent is far away. */
const BUSY = STRETCH + 100;
const OTHERS = 6_000;
const LIMIT = 50;

let api: TestApi;
let history: History;
let busy: TestUser;
let db: Kysely<Database>;
let statements: CompiledQuery[];

beforeAll(async () => {
  api = await TestApi.start();
  history = new History(api);
  busy = await api.newUser('busy', { wallets: ['SGD'] });
  const others = await Promise.all([...Array(20).keys()].map((n) => api.newUser(`other_${n}`, { wallets: ['SGD'] })));
  await api.fund('busy', 'SGD', '1000.00');
  await history.pay(busy, others[0], 99_999_999n); // rejected, and then buried
  await payMany(BUSY, () => [busy, others[0]!]);
  await payMany(OTHERS, (n) => (n % 2 === 0 ? [others[0]!, others[1 + ((n / 2) % 19)]!] : [others[1]!, others[0]!]));
  await api.deps.shards.shard(0).poster.close(); // lets go of its connection; it comes back when needed
  const owner = new pg.Client({ connectionString: api.database.ownerUrl });
  await owner.connect();
  await owner.query('analyze transactions, entries, blocks');
  await owner.end();

  statements = [];
  const pool = new pg.Pool({ connectionString: api.database.appUrl, types: valueTypes, max: 2 });
  const log = (event: { query: CompiledQuery }) => void statements.push(event.query);
  db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }), log });
});
afterAll(async () => {
  await db.destroy();
  await api.close();
});

async function payMany(count: number, sides: (n: number) => [TestUser, TestUser]): Promise<void> {
  for (let done = 0; done < count; done += 1_000) {
    const size = Math.min(1_000, count - done);
    const facts = await Promise.all([...Array(size).keys()].map((n) => history.factsOf(...sides(done + n), 1n)));
    await history.post(...facts.map((each) => ({ kind: 'transfer', facts: each }) as const));
  }
}

interface Plan {
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Plan[];
}

/** How many rows and pages of tables the statements that `read` makes have to touch, by Postgres's own account. */
async function costOf(read: () => Promise<unknown>): Promise<{ rows: number; pages: number }> {
  statements = [];
  await read();
  const cost = { rows: 0, pages: 0 };
  const count = (plan: Plan): void => {
    if (plan['Relation Name']) {
      const removed = (plan['Rows Removed by Filter'] ?? 0) + (plan['Rows Removed by Index Recheck'] ?? 0);
      cost.rows += (plan['Actual Rows'] + removed) * plan['Actual Loops'];
    }
    plan.Plans?.forEach(count);
  };
  for (const { sql, parameters } of [...statements]) {
    const { rows } = await db.executeQuery<{ 'QUERY PLAN': { Plan: Plan }[] }>({
      ...statements[0]!,
      sql: `explain (analyze, buffers, format json) ${sql}`,
      parameters,
    });
    const [{ Plan: plan }] = rows[0]!['QUERY PLAN'] as [{ Plan: Plan }];
    cost.pages += plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
    count(plan);
  }
  return cost;
}

describe('a page costs what is on it, however long the history', () => {
  const positions: [string, () => Promise<Position | undefined>][] = [
    ['first', async () => undefined],
    ['later', async () => ({ block: 4n, index: 500 })],
  ];

  test.each(positions)('the %s page of entries', async (_which, cursor) => {
    const [account] = await ownAccounts(db, busy.userId);
    const span = await spanOf(db, { cursor: await cursor() });
    const { rows, pages } = await costOf(() => listEntries(db, span, { account: account!, limit: LIMIT }));
    // An entry, its transaction, its block.
    expect(rows).toBeLessThanOrEqual(3 * (LIMIT + 1));
    expect(pages).toBeLessThan(10 * (LIMIT + 1));
  });

  test.each(positions)('the %s page of transactions', async (_which, cursor) => {
    const accounts = await ownAccounts(db, busy.userId);
    const span = await spanOf(db, { cursor: await cursor() });
    const { rows, pages } = await costOf(() => listTransactions(db, span, { accounts, limit: LIMIT }));
    expect(rows).toBeLessThanOrEqual(2 * (LIMIT + 1));
    expect(pages).toBeLessThan(4 * (LIMIT + 1));
  });

  test.each(['rejected', 'pending'] as const)('the transactions that are %s', async (status) => {
    const accounts = await ownAccounts(db, busy.userId);
    const span = await spanOf(db, {});
    const { rows, pages } = await costOf(() => listTransactions(db, span, { accounts, status, limit: LIMIT }));
    expect(rows).toBeLessThanOrEqual(4);
    expect(pages).toBeLessThan(50);
  });

  test('where a time falls in the chain', async () => {
    const { pages } = await costOf(() => spanOf(db, { since: new Date(), until: new Date() }));
    expect(pages).toBeLessThan(100);
  });
});

describe('what is rare in a long history', () => {
  test('is found a stretch at a time: pages may be empty on the way, and the one that has it comes', async () => {
    const transactions = await history.allPages<TransactionView>('/v1/transactions?type=opening', busy);
    expect(transactions.map((page) => page.length)).toEqual([0, 1]);
    const entries = await history.allPages<EntryView>(`/v1/wallets/${walletOf(busy)}/entries?type=opening`, busy);
    expect(entries.map((page) => page.length)).toEqual([0, 1]);
    expect(entries[1]).toMatchObject([{ amount: '1000.00', balanceBefore: '0.00' }]);
  });

  test('is found at once by a status of its own', async () => {
    const found = await history.allPages<TransactionView>('/v1/transactions?status=rejected', busy);
    expect(found).toMatchObject([[{ status: 'rejected', amount: '999999.99' }]]);
  });

  test('does not keep what is common from coming whole, each once', async () => {
    const pages = await history.allPages<TransactionView>('/v1/transactions?status=completed&limit=200', busy);
    const seen = pages.flat();
    expect(seen).toHaveLength(BUSY + 1);
    expect(new Set(seen.map((each) => each.id)).size).toBe(BUSY + 1);
    expect(pages.slice(0, -1).every((page) => page.length > 0)).toBe(true);
  });
});
