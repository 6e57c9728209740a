import { sql } from 'kysely';
import { createSealer } from '../../ledger/seal';
import { openShards, type Shards } from '../../ledger/shards';
import { Users } from '../../users/store';
import { eventually } from '../support/eventually';
import { silent } from '../support/people';
import { Stack } from '../support/stack';

const PEOPLE = 350;

let stack: Stack;
let shards: Shards;
let users: Users;
beforeAll(async () => {
  stack = await Stack.start({ shards: 1, apis: 0, workers: 2 });
  shards = openShards({ urls: stack.appUrls, log: silent });
  const [id = '', key = ''] = stack.secrets.HOLDFAST_SEAL_KEYS.split(':');
  const sealKeys = [{ id, key: Buffer.from(key, 'base64') }];
  const sealer = createSealer({ shards, sealKeys, commandKey: stack.secrets.HOLDFAST_COMMAND_KEY });
  users = new Users(shards, sealer);
});
afterAll(async () => {
  await shards?.close();
  await stack?.stop();
});

const db = () => shards.shard(0).db;

async function dataKeys(): Promise<number> {
  const { rows } = await sql<{ count: string }>`select count(*) from data_keys where owner_id like 'us\\_%'`.execute(
    db(),
  );
  return Number(rows[0]!.count);
}

test('workers killed while they rotate skip nobody: all is sealed under each user’s newest data key', async () => {
  const make = (n: number) =>
    users.create({
      username: `person_${n}`,
      name: `Name ${n}`,
      email: `person_${n}@example.com`,
      passwordHash: 'none',
      roles: ['customer'],
    });
  const people = await Promise.all(Array.from({ length: PEOPLE }, (_, n) => make(n)));
  const rotating = stack.run(['keys', 'rotate', '--data-keys', '--pause', '1']);
  for (const made of [1, 201]) {
    // A batch has its new keys, all at once: its rows are being sealed under them just now.
    await eventually(async () => expect(await dataKeys()).toBeGreaterThanOrEqual(PEOPLE + made), {
      withinMs: 120_000,
      everyMs: 5,
    });
    await Promise.all(stack.workers.map((worker) => worker.kill()));
    await Promise.all(stack.workers.map((worker) => worker.start()));
  }
  expect(await rotating).toMatchObject({ code: 0 });
  const { rows: behind } = await sql`
    select u.id from users u, lateral (select max(number)::text as number from data_keys where owner_id = u.id) newest
    where split_part(name_sealed, '.', 3) <> newest.number or split_part(email_sealed, '.', 3) <> newest.number`.execute(
    db(),
  );
  expect(behind).toEqual([]);
  expect(await dataKeys()).toBe(2 * PEOPLE);
  for (const [n, person] of people.entries()) {
    if (n % 50 === 0) expect(await users.byId(person!.id)).toMatchObject({ name: `Name ${n}` });
  }
});
