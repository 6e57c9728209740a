import pg from 'pg';
import type { Command, Outcome } from '../../ledger/commands';
import { Poster } from '../../ledger/poster';
import { valueTypes } from '../../ledger/postgres';
import { verifyShard } from '../../ledger/verify';
import { TestBooks } from '../support/books';
import { silent } from '../support/people';

const CRASHES = 6;

let books: TestBooks;
let posters: Poster[];
beforeAll(async () => {
  books = await TestBooks.create(10);
  // Its own sessions would end with the server's, and nobody to hear of it.
  await books.owner.end();
  posters = [1, 2].map(() => new Poster({ shard: 0, url: books.database.appUrl, log: silent, patienceMs: 60_000 }));
});
afterAll(async () => {
  for (const poster of posters) await poster.close();
  await books.close().catch(() => undefined);
});

/** A backend that dies takes all sessions of the server with it, and the server recovers from its log. */
async function crashPostgres(): Promise<void> {
  const admin = new pg.Client({ connectionString: process.env.HOLDFAST_TEST_POSTGRES_ADMIN_URL! });
  admin.on('error', () => undefined);
  await admin.connect();
  const { rows } = await admin.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name = 'holdfast-poster' and datname = $1`,
    [books.database.name],
  );
  if (rows[0]) process.kill(rows[0].pid, 'SIGKILL');
  await admin.end().catch(() => undefined);
}

async function afterRecovery<T>(work: (db: pg.Client) => Promise<T>): Promise<T> {
  for (const giveUpAt = Date.now() + 30_000; ; await new Promise((resume) => setTimeout(resume, 100))) {
    const db = new pg.Client({ connectionString: books.database.ownerUrl, types: valueTypes });
    db.on('error', () => undefined);
    try {
      await db.connect();
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
      continue;
    }
    try {
      return await work(db);
    } finally {
      await db.end();
    }
  }
}

test('Postgres crashes again and again under two posters: what was answered is there, once, and nothing else', async () => {
  const wallet = (n: number) => books.wallets[n % books.wallets.length]!;
  const answered = new Map<string, Outcome>();
  let sent = 0;
  let stop = false;
  const client = async (poster: Poster) => {
    while (!stop) {
      const n = sent++;
      const command: Command = books.transfer(wallet(n), wallet(n * 7 + 3), BigInt(1 + (n % 50)) * 100n);
      const [outcome] = await poster.post([command]);
      answered.set('facts' in command ? command.facts.id : '', outcome!);
    }
  };
  const clients = Array.from({ length: 16 }, (_, n) => client(posters[n % 2]!));
  for (let crash = 0; crash < CRASHES; crash += 1) {
    await new Promise((resume) => setTimeout(resume, 700 + crash * 130));
    await crashPostgres();
    await afterRecovery(() => Promise.resolve());
  }
  await new Promise((resume) => setTimeout(resume, 500));
  stop = true;
  await Promise.all(clients);

  // Each of these was sent for the first time, so none of them is a replay, whatever happened on its way.
  const told = [...answered].map(([id, outcome]) =>
    outcome.kind === 'transaction' ? `${id} ${outcome.status}${outcome.replayed ? ' replayed' : ''}` : outcome.kind,
  );
  await afterRecovery(async (db) => {
    const { rows } = await db.query<{ line: string }>(
      `select id || ' ' || status as line from transactions where created_block > 1`,
    );
    expect(told.sort()).toEqual(rows.map(({ line }) => line).sort());
  });
  expect(answered.size).toBe(sent);
  expect((await verifyShard(books.shards.shard(0).db)).findings).toEqual([]);
  process.stderr.write(`  ${sent} posted over ${CRASHES} crashes\n`);
});
