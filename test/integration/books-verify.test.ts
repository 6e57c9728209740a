import { systemAccountId } from '../../contracts/ids';
import { verifyShard, verifySlices, type VerifiedSlice, type VerifyPlace } from '../../ledger/verify';
import { BANK, TestBooks } from '../support/books';

const SUSPENSE = systemAccountId(0, '@suspense', 'SGD');

let books: TestBooks;
const findings = async () => (await verifyShard(books.shards.shard(0).db)).findings;

beforeAll(async () => {
  books = await TestBooks.create(3);
  const [a, b, c] = books.wallets as [string, string, string];
  await books.poster.post([books.transfer(a, b, 5_00n), books.transfer(b, c, 7_00n)]);
  await books.poster.post([books.transfer(a, b, 999_00n)]);
  await books.poster.post([{ kind: 'hold', facts: books.facts(c, a, 3_00n), step: 'hold', owner: 'test' }]);
  await books.poster.post([{ kind: 'freeze', accountId: c, actorId: 'us_0_a' }]);
  const paid = books.facts(a, b, 2_00n);
  const refund = { ...books.facts(b, a, 50n), type: 'refund' as const, linkedTo: paid.id };
  const deposit = { ...books.facts(BANK, a, 1_00n), type: 'deposit' as const };
  const adjusted = { ...books.facts(SUSPENSE, a, 1n), type: 'adjustment' as const };
  const approval = { transactionId: adjusted.id, decision: 'approve', actorId: 'us_0_b', role: 'ops' } as const;
  await books.poster.post([
    { kind: 'transfer', facts: paid },
    { kind: 'transfer', facts: refund },
    { kind: 'credit', facts: deposit, movedMinor: 1_20n },
    { kind: 'pend', facts: adjusted, owner: 'test', status: 'awaiting_approval' },
    { kind: 'decision', id: 'd', ...approval },
  ]);
});
afterAll(() => books?.close());

test('books that nobody touched verify, all of their blocks and entries', async () => {
  expect(await verifyShard(books.shards.shard(0).db)).toEqual({ blocks: 6, entries: 18, findings: [] });
});

test('wherever it is stopped, a verification goes on and misses nothing', async () => {
  const slicesFrom = async (place?: VerifyPlace) => {
    const slices: VerifiedSlice[] = [];
    for await (const slice of verifySlices(books.shards.shard(0).db, place)) slices.push(slice);
    return slices;
  };
  const stranger = `insert into users (id, username, password_hash, name_sealed, email_sealed, roles)
    values ('us_0_x', 'stranger', '', '', '', '{admin}')`;
  const key = `insert into api_keys (id, user_id, name_sealed, hash, scopes, expires_at)
    values ('ak_0_x', 'us_0_x', '', sha256('x'), '{transfers:create}', now())`;
  await books.owner.query(stranger);
  await books.owner.query(key);
  const all = await slicesFrom();
  expect(all.flatMap((slice) => slice.findings)).toMatchObject([{ kind: 'roles' }, { kind: 'api_key' }]);
  expect(all.flatMap(({ place }) => Object.keys(place))).toEqual(expect.arrayContaining(['account', 'user', 'apiKey']));
  for (const [n, { place }] of all.slice(0, -1).entries()) {
    expect(await slicesFrom(JSON.parse(JSON.stringify(place)) as VerifyPlace)).toEqual(all.slice(n + 1));
  }
  await books.owner.query(`delete from api_keys where id = 'ak_0_x'`);
  await books.owner.query(`delete from users where id = 'us_0_x'`);
});

const ENDED = `update transactions set status = 'cancelled', final_block = 4, completed_at = created_at
  where created_block = 4`;

/** The same, in another month, as no constraint forbids it. */
function again(table: string): string {
  return `select (jsonb_populate_record(t, jsonb_build_object('at', at + interval '1 month'))).* from ${table} t`;
}

/** Block 2 moved money twice; 3 refused; 4 holds; 5 froze a wallet; 6 refunds, credits and approves. */
const TAMPERINGS: [string, string, string, string][] = [
  ['an entry’s amount', 'update entries set amount = amount - 1 where block = 2 and index = 0', 'hash', 'block 2'],
  ['one side of a move', 'update entries set amount = amount - 1 where block = 2 and index = 0', 'zero_sum', 'block 2'],
  ['both sides of a move', 'update entries set amount = amount * 2 where block = 2 and index < 2', 'move', 'tx_'],
  ['a balance after', 'update entries set balance_after = 1 where block = 2 and index = 1', 'running_balance', 'ac_'],
  ['an entry’s currency', `update entries set currency = 'JPY' where block = 2 and index < 2`, 'currency', 'ac_'],
  ['an entry taken away', 'delete from entries where block = 2 and index = 3', 'counts', 'block 2'],
  ['an entry’s time', `update entries set at = at + interval '1 ms' where block = 2 and index = 0`, 'at', 'block 2'],
  ['an event’s month', `update events set at = at + interval '1 month' where block = 3`, 'at', 'block 3'],
  ['entries a second time', `insert into entries ${again('entries')} where block = 2`, 'counts', 'block 2'],
  ['an event a second time', `insert into events ${again('events')} where block = 5`, 'counts', 'block 5'],
  ['entries in another place', 'update entries set index = index + 9 where block = 2', 'order', 'block 2'],
  ['an event’s text', `update events set detail = '{}' where block = 3`, 'hash', 'block 3'],
  ['an event taken away', 'delete from events where block = 3', 'counts', 'block 3'],
  ['rows of no block', 'update events set block = 77 where block = 5', 'stray', 'block 77'],
  ['what a transaction asked for', 'update transactions set amount = 1 where created_block = 3', 'hash', 'block 3'],
  ['who asked', `update transactions set actor_id = 'us_0_x' where created_block = 3`, 'hash', 'block 3'],
  ['a transaction taken away', 'delete from transactions where created_block = 2', 'entries_of_unfinished', 'tx_'],
  [
    'when it was asked',
    `update transactions set created_at = '2001-01-01' where created_block = 3`,
    'created_at',
    'tx_',
  ],
  ['a refusal undone', `update transactions set status = 'completed' where created_block = 3`, 'move', 'tx_'],
  [
    'a move denied',
    `update transactions set status = 'rejected' where created_block = 2`,
    'entries_of_unfinished',
    'tx_',
  ],
  ['a reason', `update transactions set reason = 'same_wallet' where created_block = 3`, 'status', 'tx_'],
  ['a wallet’s balance', `update accounts set balance = balance + 1 where kind = 'user'`, 'balance', 'ac_'],
  ['what a wallet has held', `update accounts set held = 1 where held = 300`, 'held', 'ac_'],
  ['a hold let go', `update holds set status = 'released'`, 'held', 'ac_'],
  ['a wallet thawed', `update accounts set status = 'open' where status = 'frozen'`, 'account_status', 'ac_'],
  ['what was given back', 'update transactions set refunded = 1 where refunded = 50', 'refunded', 'tx_'],
  ['a refund denied', `update transactions set status = 'cancelled' where type = 'refund'`, 'refunded', 'tx_'],
  ['what a refund is of', 'update transactions set linked_to = id where linked_to is not null', 'hash', 'block 6'],
  ['the bank’s account of a deposit', `update transactions set bank_account_id = 'x'`, 'hash', 'block 6'],
  ['what the bank moved', `update entries set amount = sign(amount) where abs(amount) = 20`, 'hash', 'block 6'],
  ['who it moved it to', `update entries set account_id = '${SUSPENSE}' where amount = -20`, 'move', 'tx_'],
  ['a decision taken away', 'delete from decisions', 'decision', 'tx_'],
  ['who decided', `update decisions set actor_id = 'us_0_x'`, 'decision', 'tx_'],
  ['what was decided', `update decisions set kind = 'reject'`, 'decision', 'tx_'],
  [
    'a decision nobody made',
    `insert into decisions select 'e', transaction_id, kind, actor_id, role, outcome, note_sealed, state, block, 1 from decisions`,
    'decision',
    'tx_',
  ],
  ['a hold whose transaction has ended', ENDED, 'held', 'ac_'],
  ['a block taken away', 'delete from blocks where number = 3', 'gap', 'block 4'],
  ['the last block taken away', 'delete from blocks where number = 6', 'head', 'chain_head'],
  ['a block’s hash', `update blocks set hash = sha256('x') where number = 3`, 'link', 'block 4'],
  ['a block’s link', `update blocks set previous_hash = sha256('x') where number = 3`, 'link', 'block 3'],
  ['a block’s time', `update blocks set at = '2001-01-01' where number = 3`, 'time', 'block 3'],
  ['the head', `update chain_head set hash = sha256('x')`, 'head', 'chain_head'],
];

test.each(TAMPERINGS)(
  '%s, changed by the database’s owner, is found and named',
  async (_what, change, kind, subject) => {
    const tables = ['entries', 'events', 'transactions', 'accounts', 'holds', 'decisions', 'blocks', 'chain_head'];
    const copy = (from: string, to: string) => `create table ${to} as select * from ${from}`;
    for (const table of tables) await books.owner.query(copy(table, `kept_${table}`));
    try {
      const { rowCount } = await books.owner.query(change);
      expect(rowCount).toBeGreaterThan(0);
      const found = await findings();
      expect(found.filter((each) => each.kind === kind && each.subject.startsWith(subject))).not.toEqual([]);
    } finally {
      const { owner } = books;
      await owner.query(
        'truncate entries, events, transactions, holds, decisions, blocks, chain_head, accounts, ' +
          'virtual_accounts, snapshots, snapshot_balances',
      );
      const back = ['accounts', ...tables.filter((table) => table !== 'accounts' && table !== 'chain_head')];
      for (const table of back) await owner.query(`insert into ${table} select * from kept_${table}`);
      await owner.query('insert into chain_head (block, hash, at) select block, hash, at from kept_chain_head');
      for (const table of tables) await owner.query(`drop table kept_${table}`);
    }
    expect(await findings()).toEqual([]);
  },
);
