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
  test.each(['entries', 'events', 'blocks', 'steps', 'decisions'])('can only add to %s', async (table) => {
    const { rows } = await app.query<{ name: string }>(
      'select column_name as name from information_schema.columns where table_name = $1',
      [table],
    );
    expect(rows.length).toBeGreaterThan(3);
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
    `(999, ${index}, '${id}', '${books.wallets[0]}', '${currency}', ${amount}, 0)`;

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

  test.each(['transactions', 'steps', 'holds', 'blocks', 'accounts', 'users', 'events', 'decisions'])(
    'refuses a second row of the same id in %s',
    async (table) => {
      const again = app.query(`insert into ${table} select * from ${table}`);
      await expect(again).rejects.toMatchObject({ code: UNIQUE, constraint: `${table}_pkey` });
    },
  );

  test('refuses a second entry of the same place', async () => {
    await expect(app.query('insert into entries select * from entries')).rejects.toMatchObject({ code: UNIQUE });
  });
});
