import pg from 'pg';
import { TestBooks } from '../support/books';

let books: TestBooks;
let app: pg.Client;
beforeAll(async () => {
  books = await TestBooks.create(2);
  const [a] = books.wallets as [string];
  await books.poster.post([{ kind: 'hold', facts: books.facts(a, a, 1n), step: 'hold', owner: 'test' }]);
  const facts = books.facts(a, a, 1n);
  const decision = { id: 'd', transactionId: facts.id, decision: 'approve', actorId: 'us_0_b', role: 'ops' } as const;
  await books.poster.post([
    { kind: 'pend', facts, owner: 'test', status: 'awaiting_approval' },
    { kind: 'decision', ...decision },
  ]);
  app = new pg.Client({ connectionString: books.database.appUrl });
  await app.connect();
});
afterAll(async () => {
  await app?.end();
  await books?.close();
});

const DENIED = { code: '42501' };
const CHECK = '23514';
const UNIQUE = '23505';

describe('the application’s role, whatever its code does,', () => {
  const appendOnly = ['entries', 'events', 'blocks', 'steps', 'decisions', 'snapshots', 'snapshot_balances'];
  test.each(appendOnly)('can only add to %s', async (table) => {
    const { rows } = await app.query<{ name: string }>(
      'select column_name as name from information_schema.columns where table_name = $1',
      [table],
    );
    expect(rows.length).toBeGreaterThan(2);
    for (const { name } of rows) {
      await expect(app.query(`update ${table} set ${name} = ${name}`)).rejects.toMatchObject(DENIED);
    }
    await expect(app.query(`delete from ${table}`)).rejects.toMatchObject(DENIED);
    await expect(app.query(`truncate ${table}`)).rejects.toMatchObject(DENIED);
  });

  test.each(['transactions', 'holds', 'accounts', 'users', 'chain_head', 'shard_identity'])(
    'can neither delete from nor empty %s',
    async (table) => {
      await expect(app.query(`delete from ${table}`)).rejects.toMatchObject(DENIED);
      await expect(app.query(`truncate ${table}`)).rejects.toMatchObject(DENIED);
    },
  );

  test.each(['amount', 'from_account', 'to_account', 'command_hash', 'message_sealed', 'created_block', 'linked_to'])(
    'can not change the %s of a transaction',
    async (column) => {
      await expect(app.query(`update transactions set ${column} = ${column}`)).rejects.toMatchObject(DENIED);
    },
  );

  test('reaches entries and events of no month by itself', async () => {
    const { rows } = await app.query<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits
       where inhparent in ('entries'::regclass, 'events'::regclass)`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(8);
    for (const { name } of rows) {
      for (const statement of [
        `select from ${name}`,
        `insert into ${name} select * from ${name}`,
        `update ${name} set index = 0`,
        `delete from ${name}`,
        `truncate ${name}`,
        `alter table ${name.replace(/_.*/, '')} detach partition ${name}`,
        `drop table ${name}`,
      ]) {
        await expect(app.query(statement)).rejects.toMatchObject(DENIED);
      }
    }
  });

  test('can make months, a year ahead at most, and no other table', async () => {
    await expect(app.query('select make_months(now(), 13)')).rejects.toMatchObject({ code: '22023' });
    await expect(app.query('create table entries_2001_01 (like entries)')).rejects.toMatchObject(DENIED);
    // What stands in its own schema is not what the owner's function finds.
    await app.query(`create temporary table entries (at timestamptz) partition by range (at)`);
    await app.query(`create function pg_temp.date_trunc(text, timestamp) returns timestamp language sql
                     as $$ select timestamp '1999-01-01' $$`);
    const { rows } = await app.query<{ made: string[] }>(`select make_months('2031-05-06', 0) as made`);
    expect(rows).toEqual([{ made: ['entries_2031_05', 'events_2031_05'] }]);
    await app.query('drop table pg_temp.entries');
    const { rowCount } = await app.query(`select from pg_inherits where inhparent = 'public.entries'::regclass
      and inhrelid = 'public.entries_2031_05'::regclass`);
    expect(rowCount).toBe(1);
  });

  test('can not take the rules away', async () => {
    await expect(app.query('alter table accounts drop constraint accounts_never_overdrawn')).rejects.toMatchObject(
      DENIED,
    );
    await expect(app.query('alter table entries disable trigger all')).rejects.toMatchObject(DENIED);
  });
});

describe('the database itself', () => {
  test.each([
    ['a balance below zero', 'balance = -1'],
    ['less available than nothing', 'held = balance + 1'],
    ['less than nothing held', 'held = -1'],
  ])('refuses %s', async (_what, change) => {
    await expect(app.query(`update accounts set ${change} where kind = 'user'`)).rejects.toMatchObject({
      code: CHECK,
      constraint: 'accounts_never_overdrawn',
    });
  });

  test('refuses to close a wallet with money in it', async () => {
    await expect(app.query(`update accounts set status = 'closed' where kind = 'user'`)).rejects.toMatchObject({
      code: CHECK,
      constraint: 'accounts_closed_empty',
    });
  });

  const entry = (index: number, amount: number, currency = 'SGD', id = 'tx_0_x') =>
    `(999, ${index}, '${id}', '${books.wallets[0]}', '${currency}', ${amount}, 0, now())`;

  test('refuses entries that do not sum to zero in each transaction and currency', async () => {
    const wrong = [
      [entry(0, 5)],
      [entry(0, 5), entry(1, -4)],
      [entry(0, 5), entry(1, -5, 'JPY')],
      [entry(0, 5), entry(1, -5, 'SGD', 'tx_0_y')],
    ];
    for (const entries of wrong) {
      const insert = app.query(`insert into entries values ${entries.join(', ')}`);
      await expect(insert).rejects.toMatchObject({ code: 'HF001' });
    }
  });

  test.each(['transactions', 'steps', 'holds', 'blocks', 'accounts', 'users', 'decisions'])(
    'refuses a second row of the same id in %s',
    async (table) => {
      const again = app.query(`insert into ${table} select * from ${table}`);
      await expect(again).rejects.toMatchObject({ code: UNIQUE, constraint: `${table}_pkey` });
    },
  );
});
