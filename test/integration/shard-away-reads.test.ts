import net from 'node:net';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { Names } from '../../ledger/names';
import { ShardUnavailable } from '../../ledger/postgres';
import { openShards } from '../../ledger/shards';
import { fence, unfence } from '../../migrations/fence';
import { TestBooks } from '../support/books';
import { eventually } from '../support/eventually';
import { silent } from '../support/people';
import { testSealer } from '../support/sealer';

test('a shard that is known to be away is asked for names and keys no more than now and then', async () => {
  let tries = 0;
  const deaf = net.createServer((socket) => {
    tries += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
  const { port } = deaf.address() as net.AddressInfo;
  const shards = openShards({ urls: [`postgres://nobody@127.0.0.1:${port}/nowhere`], log: silent });
  const [names, sealer] = [new Names(shards), testSealer(shards)];
  expect((await names.ofAccounts(['ac_0_first'])).size).toBe(0);
  await eventually(async () => expect(shards.shard(0).poster.isAway).toBe(true));

  tries = 0;
  for (let n = 0; n < 100; n += 1) {
    expect((await names.ofAccounts([`ac_0_${n}`])).size).toBe(0);
    const text = `s2.us_0_${n}.1.AAAA`;
    expect((await sealer.openAll([{ text, field: 'any' }]))(text)).toBeNull();
    await expect(names.resolve({ username: `user_${n}`, currency: 'SGD' })).rejects.toThrow(ShardUnavailable);
    await expect(sealer.seal(`us_0_${n}`, 'any', 'text')).rejects.toThrow(ShardUnavailable);
  }
  // Each look whether it is back is one; four hundred would be one for each question.
  expect(tries).toBeLessThan(100);
  await shards.close();
  await new Promise((resolve) => deaf.close(resolve));
});

test('a shard that only takes no writes, as in a move, is still asked for names', async () => {
  const books = await TestBooks.create(1, 500);
  const [wallet] = books.wallets as [string];
  const owner = new Kysely<unknown>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: books.database.ownerUrl, max: 1 }) }),
  });
  await fence(owner, 'a move');
  await expect(books.poster.post([books.transfer(wallet, wallet, 1n)])).rejects.toThrow(ShardUnavailable);
  expect([books.poster.isDown, books.poster.isAway]).toEqual([true, false]);
  expect(await new Names(books.shards).ofAccounts([wallet])).toEqual(new Map([[wallet, 'user_0.SGD']]));
  await unfence(owner);
  await owner.destroy();
  await books.close();
});
