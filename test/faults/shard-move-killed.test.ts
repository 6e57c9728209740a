import { spawn } from 'node:child_process';
import { packageRoot } from '../../cli/embedded/package-root';
import { exitOf } from '../../cli/embedded/processes';
import { abortMove, MOVE_STEPS } from '../../cli/shards/move';
import { verifyShard } from '../../ledger/verify';
import { BooksToMove, databasesOf, moveOf } from '../support/moving';

let moving: BooksToMove;
beforeEach(async () => {
  moving = await BooksToMove.create();
});
afterEach(() => moving.close());

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
  const databases = [moving.source, moving.target].map((each) => JSON.stringify(databasesOf(each)));
  const child = spawn(process.execPath, ['-e', MOVER, packageRoot(), ...databases, step], { stdio: 'inherit' });
  expect(await exitOf(child)).toEqual({ code: null, signal: 'SIGKILL' });
}

const switchedAt = MOVE_STEPS.indexOf('activate');

async function expectMoved(transfers: number): Promise<void> {
  expect(await moving.states()).toEqual(['moved', 'active']);
  await moving.onTarget(async (shards) => {
    const { db, poster } = shards.shard(0);
    const entries = 2 * (moving.books.wallets.length + transfers);
    expect(await verifyShard(db)).toMatchObject({ findings: [], entries });
    expect(await poster.post([moving.oneTransfer()])).toMatchObject([{ status: 'completed' }]);
  });
}

test.each(MOVE_STEPS)('killed before %s, it is run again and moves the shard', async (step) => {
  await moveUntil(step);
  expect(await moving.states()).not.toEqual(['active', 'active']);
  await moving.move();
  await expectMoved(0);
});

test.each(MOVE_STEPS.slice(0, switchedAt))('killed before %s, --abort leaves the shard where it was', async (step) => {
  await moveUntil(step);
  await abortMove(moveOf(moving.source, moving.target));
  const [source, target] = await moving.states();
  expect([source, target === 'active']).toEqual(['active', false]);
  expect(await moving.leftOvers()).toEqual([]);
  expect(await moving.books.poster.post([moving.oneTransfer()])).toMatchObject([{ status: 'completed' }]);
  await moving.move();
  await expectMoved(1);
});
