import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { inTransaction, openPool } from '../../bank/simulator/database';
import { isUnreachable } from '../../ledger/postgres';
import { openShards } from '../../ledger/shards';
import { cloneDatabase, type TestDatabase } from '../support/database';
import { eventually } from '../support/eventually';
import { silent } from '../support/people';
import { Wire } from '../support/wire';

const LONG = 'select pg_sleep(2)';

let wire: Wire;
let url: string;
let database: TestDatabase;
beforeAll(async () => {
  database = await cloneDatabase();
  wire = await Wire.to(database.appUrl);
  url = wire.urlOf(database.appUrl);
});
afterEach(() => wire.comeBack());
afterAll(async () => {
  await wire.close();
  await database.drop();
});

/** Breaks every connection while the query is under way. */
async function broken(query: Promise<unknown>): Promise<unknown> {
  const failure = query.then(
    () => undefined,
    (error: unknown) => error,
  );
  await sleep(300);
  wire.goAway();
  return failure;
}

describe('a connection that breaks while it is in use fails what used it, and nothing else', () => {
  test('in the books', async () => {
    const shards = openShards({ urls: [url], log: silent });
    const { db } = shards.shard(0);
    expect(isUnreachable(await broken(sql.raw(LONG).execute(db)))).toBe(true);
    wire.comeBack();
    const inside = db.transaction().execute((trx) => sql.raw(LONG).execute(trx));
    expect(isUnreachable(await broken(inside))).toBe(true);
    wire.comeBack();
    await shards.shard(0).check();
    await shards.close();
  });

  test('in the books, also when the server just says nothing any more', async () => {
    const shards = openShards({ urls: [url], log: silent, poolSize: 1 });
    await shards.shard(0).check();
    wire.swallowAnswers();
    await expect(shards.shard(0).check()).rejects.toThrow('timeout');
    wire.comeBack();
    await eventually(() => shards.shard(0).check());
    await shards.close();
  });

  test('in the bank', async () => {
    const pool = openPool(url, () => {});
    const failure = await broken(inTransaction(pool, (client) => client.query(LONG)));
    expect(failure).toBeInstanceOf(Error);
    wire.comeBack();
    expect((await pool.query('select 1')).rowCount).toBe(1);
    await pool.end();
  });
});
