import pg from 'pg';
import { moveShard, type Databases, type Move } from '../../cli/shards/move';
import type { Command } from '../../ledger/commands';
import { openShards, type Shards } from '../../ledger/shards';
import { TestBooks } from './books';
import { emptyDatabase, type TestDatabase } from './database';
import { silent } from './people';

/** What an administrator does once, on both servers, before a shard is moved: docs/sharding.md. */
export async function letOwnerMove(adminUrl: string, ownerUrl: string): Promise<void> {
  const owner = new URL(ownerUrl).username;
  await rowsOf(adminUrl, `alter role ${owner} replication; grant pg_create_subscription to ${owner}`);
}

/** An empty database to move to. */
export async function emptyTarget(source: TestDatabase): Promise<TestDatabase> {
  const empty = await emptyDatabase();
  const url = new URL(source.appUrl);
  url.pathname = `/${empty.name}`;
  return { ...empty, appUrl: url.href };
}

export const databasesOf = ({ appUrl: url, ownerUrl }: TestDatabase): Databases => ({ url, ownerUrl });

export function moveOf(source: TestDatabase, target: TestDatabase, more: Partial<Move> = {}): Move {
  const { signal } = new AbortController();
  const databases = { source: databasesOf(source), target: databasesOf(target) };
  return { shard: 0, shardCount: 1, ...databases, signal, say: () => undefined, ...more };
}

export async function rowsOf<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

export async function stateOf(database: TestDatabase): Promise<string | undefined> {
  const [table] = await rowsOf(database.ownerUrl, `select where to_regclass('shard_identity') is not null`);
  if (!table) return undefined;
  const [row] = await rowsOf<{ state: string }>(database.ownerUrl, 'select state from shard_identity');
  return row?.state;
}

/** What a move needs and has to take away again: a slot that stays keeps its server's log for ever. */
export async function leftOvers(...databases: TestDatabase[]): Promise<object[]> {
  const found = databases.map(({ ownerUrl }) =>
    rowsOf(
      ownerUrl,
      `select slot_name as left from pg_replication_slots where database = current_database()
       union all select pubname from pg_publication
       union all select subname from pg_subscription s join pg_database d on d.oid = s.subdbid
         where d.datname = current_database()`,
    ),
  );
  return (await Promise.all(found)).flat();
}

/** Books of one's own, and an empty database to move them to. */
export class BooksToMove {
  private constructor(
    readonly books: TestBooks,
    readonly target: TestDatabase,
  ) {}

  static async create(patienceMs?: number): Promise<BooksToMove> {
    const books = await TestBooks.create(3, patienceMs);
    const target = await emptyTarget(books.database);
    await letOwnerMove(process.env['HOLDFAST_TEST_POSTGRES_ADMIN_URL']!, target.ownerUrl);
    return new BooksToMove(books, target);
  }

  get source(): TestDatabase {
    return this.books.database;
  }

  move(more: Partial<Move> = {}): Promise<void> {
    return moveShard(moveOf(this.source, this.target, more));
  }

  oneTransfer(): Command {
    const [from, to] = this.books.wallets as [string, string];
    return this.books.transfer(from, to, 1n);
  }

  /** What the source and the target say they are. */
  async states(): Promise<[source: string | undefined, target: string | undefined]> {
    return [await stateOf(this.source), await stateOf(this.target)];
  }

  leftOvers(): Promise<object[]> {
    return leftOvers(this.source, this.target);
  }

  /** As processes that know where the shard is now. */
  async onTarget<T>(work: (shards: Shards) => Promise<T>): Promise<T> {
    const shards = openShards({ urls: [this.target.appUrl], log: silent, poolSize: 2, patienceMs: 10_000 });
    try {
      return await work(shards);
    } finally {
      await shards.close();
    }
  }

  /** Whatever became of a move, it leaves nothing behind. */
  async close(): Promise<void> {
    expect(await this.leftOvers()).toEqual([]);
    await this.books.close();
    await this.target.drop();
  }
}
