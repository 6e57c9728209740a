import { spawn, type ChildProcess } from 'node:child_process';
import { packageRoot } from '../../cli/embedded/package-root';
import type { Command, Outcome } from '../../ledger/commands';
import { verifyShard } from '../../ledger/verify';
import { TestBooks } from '../support/books';

let books: TestBooks;
let child: ChildProcess | undefined;
beforeEach(async () => {
  books = await TestBooks.create(3);
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await books.close();
});

const transfers = (count: number): Command[] =>
  Array.from({ length: count }, (_, n) => books.transfer(books.wallets[n % 3]!, books.wallets[(n + 1) % 3]!, 1n));

/** Posts in a process of its own that freezes itself when it holds the chain, before it writes: `now` is read there. */
const POSTER = `
  const { Poster } = require(process.argv[1] + '/dist/ledger/poster.js');
  const [, , url, text] = process.argv;
  const commands = JSON.parse(text, (key, value) => (key === 'amountMinor' ? BigInt(value) : value));
  let frozen = false;
  const now = () => {
    if (!frozen) process.kill(process.pid, 'SIGSTOP');
    frozen = true;
    return new Date();
  };
  const log = { info() {}, warn() {}, error() {} };
  const poster = new Poster({ shard: 0, url, log, now, patienceMs: 60_000 });
  poster.post(commands).then(async (outcomes) => {
    process.stdout.write(JSON.stringify(outcomes));
    await poster.close();
  });
`;

function startPoster(commands: Command[]): { answer: Promise<Outcome[]> } {
  const text = JSON.stringify(commands, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  child = spawn(process.execPath, ['-e', POSTER, packageRoot(), books.database.appUrl, text], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise((resolve) => child!.once('close', resolve));
  return { answer: ended.then(() => JSON.parse(output) as Outcome[]) };
}

/** Somebody has the chain and doesn't go on: asked as somebody who wants it too, and won't wait. */
async function chainIsHeld(): Promise<void> {
  for (const giveUpAt = Date.now() + 20_000; Date.now() < giveUpAt;) {
    try {
      await books.owner.query('select from chain_head for update nowait');
    } catch {
      return;
    }
    await new Promise((resume) => setTimeout(resume, 20));
  }
  throw new Error('The child never took the chain');
}

const completed = (commands: Command[], outcomes: unknown) =>
  expect(outcomes).toMatchObject(commands.map(() => ({ kind: 'transaction', status: 'completed' })));

async function proveBooks(transactions: number): Promise<void> {
  const proof = await verifyShard(books.shards.shard(0).db);
  // The wallets' openings besides.
  expect(proof).toMatchObject({ entries: 2 * (transactions + 3), findings: [] });
}

test('a poster frozen while it holds the chain stops another for seconds only, and posts nothing twice when it thaws', async () => {
  const [theirs, ours] = [transfers(20), transfers(20)];
  const { answer } = startPoster(theirs);
  await chainIsHeld();

  const began = Date.now();
  completed(ours, await books.poster.post(ours));
  expect(Date.now() - began).toBeLessThan(8_000);

  child!.kill('SIGCONT');
  const told = await answer;
  completed(theirs, told);
  expect(told).toMatchObject(theirs.map(() => ({ replayed: false })));
  await proveBooks(40);
});

test('what a frozen poster was about to post may meanwhile be posted by another: each transaction once', async () => {
  const commands = transfers(20);
  const { answer } = startPoster(commands);
  await chainIsHeld();
  const ours = await books.poster.post(commands);
  completed(commands, ours);

  child!.kill('SIGCONT');
  const told = await answer;
  expect(told).toMatchObject(commands.map(() => ({ status: 'completed', replayed: true })));
  await proveBooks(20);
});

test('a poster killed while it holds the chain has posted nothing, and frees it at once', async () => {
  const commands = transfers(20);
  startPoster(commands).answer.catch(() => undefined);
  await chainIsHeld();
  child!.kill('SIGKILL');
  const outcomes = await books.poster.post(commands);
  expect(outcomes).toMatchObject(commands.map(() => ({ status: 'completed', replayed: false })));
  await proveBooks(20);
});
