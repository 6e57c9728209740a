import { spawn } from 'node:child_process';
import { packageRoot } from '../../cli/embedded/package-root';
import { exitOf } from '../../cli/embedded/processes';
import { abortMove, MOVE_STEPS, moveShard } from '../../cli/shards/move';
import { openShards } from '../../ledger/shards';
import { verifyShard } from '../../ledger/verify';
import { TestBooks } from '../support/books';
import type { TestDatabase } from '../support/database';
import { databasesOf, emptyTarget, leftOvers, letOwnerMove, moveOf, stateOf } from '../support/moving';
import { silent } from '../support/people';

let books: TestBooks;
let target: TestDatabase;
beforeEach(async () => {
  books = await TestBooks.create(3);
  target = await emptyTarget(books.database);
  await letOwnerMove(process.env['HOLDFAST_TEST_POSTGRES_ADMIN_URL']!, target.ownerUrl);
});
afterEach(async () => {
  expect(await leftOvers(books.database, target)).toEqual([]);
  await books.close();
  await target.drop();
});

/** Moves in a process of its own, which kills itself when the step is next. */
const MOVER = `
  const { moveShard } = require(process.argv[1] + '/dist/cli/shards/move.js');
  const [, , source, target, last] = process.argv;
  const onStep = (step) => {
    if (step === last) process.kill(process.pid, 'SIGKILL');
  };
  const { signal } = new AbortController();
  const databases = { source: JSON.parse(source), target: JSON.parse(target) };
  moveShard({ shard: 0, shardCount: 1, ...databases, signal, say: () => {}, onStep });
`;

async function moveUntil(step: string): Promise<void> {
  const databases = [books.database, target].map((each) => JSON.stringify(databasesOf(each)));
  const child = spawn(process.execPath, ['-e', MOVER, packageRoot(), ...databases, step], { stdio: 'inherit' });
  expect(await exitOf(child)).toEqual({ code: null, signal: 'SIGKILL' });
}

const oneTransfer = () => books.transfer(books.wallets[0]!, books.wallets[1]!, 1n);
const isActive = async (each: TestDatabase) => (await stateOf(each)) === 'active';
const switchedAt = MOVE_STEPS.indexOf('activate');

async function expectMoved(transfers: number): Promise<void> {
  expect([await stateOf(books.database), await stateOf(target)]).toEqual(['moved', 'active']);
  const shards = openShards({ urls: [target.appUrl], log: silent, poolSize: 2 });
  const { db, poster } = shards.shard(0);
  try {
    const entries = 2 * (books.wallets.length + transfers);
    expect(await verifyShard(db)).toMatchObject({ findings: [], entries });
    expect(await poster.post([oneTransfer()])).toMatchObject([{ status: 'completed' }]);
  } finally {
    await shards.close();
  }
}

test.each(MOVE_STEPS)('killed before %s, it is run again and moves the shard', async (step) => {
  await moveUntil(step);
  expect((await isActive(books.database)) && (await isActive(target))).toBe(false);
  await moveShard(moveOf(books.database, target));
  await expectMoved(0);
});

test.each(MOVE_STEPS.slice(0, switchedAt))('killed before %s, --abort leaves the shard where it was', async (step) => {
  await moveUntil(step);
  await abortMove(moveOf(books.database, target));
  expect([await isActive(books.database), await isActive(target)]).toEqual([true, false]);
  expect(await leftOvers(books.database, target)).toEqual([]);
  expect(await books.poster.post([oneTransfer()])).toMatchObject([{ status: 'completed' }]);
  await moveShard(moveOf(books.database, target));
  await expectMoved(1);
});
