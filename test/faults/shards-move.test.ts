import pg from 'pg';
import { migrate } from '../../cli/migrate';
import { requireShard } from '../../cli/preflight';
import { listShards } from '../../cli/shards/list';
import { abortMove, MOVE_STEPS, moveShard, type MoveStep } from '../../cli/shards/move';
import type { Outcome } from '../../ledger/commands';
import { Poster } from '../../ledger/poster';
import { ShardUnavailable } from '../../ledger/postgres';
import { verifyShard } from '../../ledger/verify';
import type { TestBooks } from '../support/books';
import { cloneShards, type TestDatabase } from '../support/database';
import { BooksToMove, databasesOf, emptyTarget, moveOf, rowsOf, stateOf } from '../support/moving';
import { silent } from '../support/people';

jest.setTimeout(180_000);

let moving: BooksToMove;
let books: TestBooks;
let target: TestDatabase;
beforeEach(async () => {
  moving = await BooksToMove.create(3_000);
  ({ books, target } = moving);
});
afterEach(() => moving.close());

const at = (shard: TestDatabase) => ({ shard: 0, shardCount: 1, url: shard.appUrl });
const switchedAt = MOVE_STEPS.indexOf('activate');

test('a shard is moved while it is posted to: what was answered is there, and what was not is posted there once', async () => {
  // A month of its own, which the target has to have before it has the block.
  const later = new Poster({ ...at(books.database), log: silent, now: () => new Date('2031-05-06') });
  await later.post([moving.oneTransfer()]);
  await later.close();
  const answered = new Map<string, Outcome>();
  // Round and round, so that nobody runs out of money.
  const { wallets } = books;
  let turn = 0;
  const one = () => books.transfer(wallets[turn % 3]!, wallets[++turn % 3]!, 1n);
  const five = () => Array.from({ length: 5 }, one);
  const first = five();
  let unanswered: typeof first = [];
  const posting = (async () => {
    for (let some = first; ; some = five()) {
      try {
        const outcomes = await books.poster.post(some);
        some.forEach((command, index) =>
          answered.set((command as { facts: { id: string } }).facts.id, outcomes[index]!),
        );
      } catch (error) {
        expect(error).toBeInstanceOf(ShardUnavailable);
        unanswered = some;
        return;
      }
    }
  })();
  await moving.move();
  await posting;
  expect(answered.size).toBeGreaterThan(100);
  expect(unanswered).toHaveLength(5);

  expect(await stateOf(books.database)).toBe('moved');
  expect(await stateOf(target)).toBe('active');
  await moving.onTarget(async (shards) => {
    const { db, poster } = shards.shard(0);
    const before = await db
      .selectFrom('transactions')
      .select(['id', 'status'])
      .where('type', '=', 'transfer')
      .execute();
    const openings = books.wallets.length + 1;
    expect(before).toHaveLength(answered.size + openings);
    for (const { id, status } of before) expect({ id, status }).toMatchObject({ id, status: 'completed' });
    const outcomes = await poster.post([...unanswered, ...first]);
    expect(outcomes).toMatchObject(
      [...Array(5).fill(false), ...Array(5).fill(true)].map((replayed) => ({ status: 'completed', replayed })),
    );
    expect(await verifyShard(db)).toMatchObject({ findings: [], entries: 2 * (answered.size + 5 + openings) });
    const moved = await db.selectFrom('events').selectAll().where('kind', '=', 'shard_moved').execute();
    expect(moved).toHaveLength(1);
    expect(JSON.parse(moved[0]!.detail)).toMatchObject({
      by: { actor: 'holdfast', role: 'system' },
      from: expect.stringContaining(books.database.name),
      to: expect.stringContaining(target.name),
    });
  });
});

test('once it has moved, the source takes no write and gives no answer, not even to a migration', async () => {
  const session = new pg.Client({ connectionString: books.database.appUrl });
  await session.connect(); // from before, as of a process that was frozen
  await moving.move();

  const insert = `insert into cursors (name, block) values ('late', 1)`;
  await expect(session.query(insert)).rejects.toMatchObject({ code: '42501' });
  await expect(session.query('select balance from accounts')).rejects.toMatchObject({ code: '42501' });
  await expect(books.owner.query(insert)).rejects.toMatchObject({ code: '25006' });
  await session.end();
  await expect(books.poster.post([moving.oneTransfer()])).rejects.toThrow(ShardUnavailable);
  expect(books.poster.isDown).toBe(true);
  await expect(books.shards.shard(0).check()).rejects.toThrow(/permission denied/);

  const whereItIs = new RegExp(`Shard 0 has moved from .*${books.database.name} to .*${target.name}`);
  await expect(requireShard(at(books.database))).rejects.toThrow(whereItIs);
  await expect(migrate({ shards: [databasesOf(books.database)] }, () => undefined)).rejects.toThrow(whereItIs);
  await requireShard(at(target));
  await migrate({ shards: [databasesOf(target)] }, () => undefined);
  await expect(abortMove(moveOf(books.database, target))).rejects.toThrow('there is no way back');
  const printed: string[] = [];
  const screen = { print: (text: string) => printed.push(text) } as never;
  expect(await listShards({ shards: [databasesOf(books.database)] }, { json: true }, screen)).toBe(1);
  expect(await listShards({ shards: [databasesOf(target)] }, { json: true }, screen)).toBe(0);
  const [[there], [here]] = printed.map((text) => JSON.parse(text));
  expect(there).toMatchObject({ state: 'moved', headBlock: null, movedTo: here.database });
  expect(here).toMatchObject({ state: 'active', headBlock: expect.any(String) });
});

test('while it is fenced it is read but not written, and who was writing when the fence fell is waited for', async () => {
  const writer = new pg.Client({ connectionString: books.database.appUrl });
  await writer.connect();
  const said: string[] = [];
  const seen: Partial<Record<MoveStep, unknown>> = {};
  const onStep = async (step: MoveStep) => {
    if (step === 'fence') {
      await writer.query('begin');
      await writer.query(`insert into cursors (name, block) values ('under way', 7)`);
      setTimeout(() => void writer.query('commit'), 1_000);
    }
    if (step !== 'compare') return;
    await expect(writer.query(`update cursors set block = 8`)).rejects.toMatchObject({ code: '25006' });
    seen.compare = (await writer.query('select block from cursors')).rows;
    await expect(books.poster.post([moving.oneTransfer()])).rejects.toThrow(ShardUnavailable);
    await requireShard(at(books.database)); // a process that starts now waits with the others
    await expect(migrate({ shards: [databasesOf(books.database)] }, () => undefined)).rejects.toThrow('being moved');
    await expect(requireShard(at(target))).rejects.toThrow('a copy of shard 0 that is not in use yet');
  };
  await moving.move({ onStep, say: (line) => said.push(line) });
  await writer.end();
  expect(seen).toEqual({ compare: [{ block: '7' }] });
  expect(await rowsOf(target.appUrl, 'select name, block from cursors')).toEqual([{ name: 'under way', block: '7' }]);
  expect(said.join('\n')).toMatch(/takes no writes[^]*start every process again/);
});

test('a move that fails at any step before the switch leaves the shard where it was, and can be tried again', async () => {
  const steps = MOVE_STEPS.slice(0, switchedAt);
  for (const failing of steps) {
    const onStep = (step: MoveStep) => {
      if (step === failing) throw new Error(`the test says no to ${failing}`);
    };
    const move = moving.move({ onStep });
    await expect(move).rejects.toThrow(`the test says no to ${failing}`);
    expect({ failing, state: await stateOf(books.database) }).toEqual({ failing, state: 'active' });
    expect([undefined, 'copy']).toContain(await stateOf(target));
    expect({ failing, left: await moving.leftOvers() }).toEqual({ failing, left: [] });
    // What the copy does not learn of must not be lost with it.
    expect(await books.poster.post([moving.oneTransfer()])).toMatchObject([{ status: 'completed' }]);
  }
  await moving.move();
  expect(await stateOf(target)).toBe('active');
  await moving.onTarget(async (shards) => {
    expect(await verifyShard(shards.shard(0).db)).toMatchObject({
      findings: [],
      entries: 2 * (books.wallets.length + steps.length),
    });
  });
});

test.each(MOVE_STEPS.slice(switchedAt))(
  'a move that fails at %s has moved the shard, and is finished by running it again',
  async (failing) => {
    const onStep = (step: MoveStep) => {
      if (step === failing) throw new Error('the test says no');
    };
    await expect(moving.move({ onStep })).rejects.toThrow('the test says no');
    expect(await stateOf(books.database)).toBe('moved');
    const other = await emptyTarget(books.database);
    await expect(moveShard(moveOf(books.database, other))).rejects.toThrow('is not the database given now');
    await other.drop();
    await moving.move();
    await moving.move();
    await moving.onTarget(async (shards) => {
      const { db } = shards.shard(0);
      expect(await db.selectFrom('events').selectAll().where('kind', '=', 'shard_moved').execute()).toHaveLength(1);
      expect(await verifyShard(db)).toMatchObject({ findings: [] });
    });
  },
);

test('a copy that somebody wrote to is found out, and the shard stays where it was', async () => {
  const tamper = `alter table users disable trigger fenced; update users set name_sealed = 'x' where id = 'us_0_1'`;
  const onStep = async (step: MoveStep) => {
    if (step === 'compare') await rowsOf(target.ownerUrl, tamper);
  };
  await expect(moving.move({ onStep })).rejects.toThrow('The copy differs from the shard in the table users');
  expect(await stateOf(books.database)).toBe('active');
});

test('who stops a move gets the shard back where it was', async () => {
  const stop = new AbortController();
  const onStep = (step: MoveStep) => {
    if (step === 'compare') stop.abort(new Error('Stopped'));
  };
  await expect(moving.move({ onStep, signal: stop.signal })).rejects.toThrow('Stopped');
  expect(await stateOf(books.database)).toBe('active');
  expect(await books.poster.post([moving.oneTransfer()])).toMatchObject([{ status: 'completed' }]);
});

test('one move of a shard at a time; the other is told, and undoes nothing', async () => {
  const onStep = async (step: MoveStep) => {
    if (step !== 'compare') return;
    await expect(moving.move()).rejects.toThrow('at work');
    await expect(abortMove(moveOf(books.database, target))).rejects.toThrow('at work');
    expect(await stateOf(books.database)).toBe('fenced');
  };
  await moving.move({ onStep });
  expect(await stateOf(target)).toBe('active');
});

test('a database that is in use, or of another shard, is never taken for a target', async () => {
  const others = await cloneShards(2);
  for (const each of [others[0]!, books.database]) {
    await expect(moveShard(moveOf(books.database, each))).rejects.toThrow(
      /The target .* is shard 0 of [12] \(active\)/,
    );
  }
  for (const each of others) await each.drop();
  await rowsOf(target.ownerUrl, 'create table something (id integer)');
  await expect(moving.move()).rejects.toThrow('is not empty');
  expect(await stateOf(books.database)).toBe('active');
});

test('replication carries every table: each has a primary key, and none a sequence', async () => {
  const unfit = await rowsOf(
    books.database.ownerUrl,
    `select relname from pg_class c where relnamespace = 'public'::regnamespace and (relkind = 'S' or (relkind in ('r', 'p')
       and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
       and relname not like 'kysely%'))`,
  );
  expect(unfit).toEqual([]);
});
