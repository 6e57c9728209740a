import { listKeys } from '../../cli/keys/list';
import { rotateKeys } from '../../cli/keys/rotate';
import { keyActivities } from '../../activities/keys';
import { ROTATE_WORKFLOW_ID, type Rotated } from '../../contracts/keys';
import { isNeeded, keyUse } from '../../ledger/key-use';
import { createSealer, fieldOf, keyOf, type Sealer } from '../../ledger/seal';
import { verifyShard } from '../../ledger/verify';
import { resealSome } from '../../users/resealing';
import { Users } from '../../users/store';
import type { TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { addBankAccount } from '../support/payments';
import { COMMAND_KEY, SEAL_KEYS, sealedEarlier, testSealer } from '../support/sealer';

const OLD = SEAL_KEYS[0]!;
const NEW = { id: 'newer', key: Buffer.alloc(32, 8) };

let holdfast: TestHoldfast;
/** As the release or the keys of before sealed. */
let before: Sealer;
let users: TestUser[];
beforeAll(async () => {
  holdfast = await TestHoldfast.start({ sealKeys: [NEW, OLD] });
  before = testSealer(holdfast.shards, [OLD]);
  users = await Promise.all([0, 1, 2, 3, 4].map((n) => signUp(`earlier_${n}`)));
});
afterAll(() => holdfast.close());

const db = () => holdfast.shards.shard(0).db;
const nameOf = async (token: string) => (await holdfast.api.get('/v1/me', token)).body as { name: string };
const usesOf = async (sealer: Sealer) =>
  Object.fromEntries((await keyUse(holdfast.shards.shard(0), sealer)).map((use) => [use.id, use]));

async function signUp(username: string): Promise<TestUser> {
  const facts = { username, name: `Name of ${username}`, email: `${username}@example.com`, passwordHash: 'none' };
  const user = (await new Users(holdfast.shards, before).create({ ...facts, roles: ['customer'] }))!;
  const caller = { userId: user.id, username, roles: user.roles };
  return { ...caller, token: holdfast.api.deps.tokens.issue(caller).accessToken };
}

const config = () => ({
  temporal: {
    address: '',
    namespace: holdfast.outside.namespace!,
    connectionOptions: { address: process.env['HOLDFAST_TEST_TEMPORAL_ADDRESS']! },
  },
  shards: [{ url: holdfast.database.appUrl }],
  secrets: { tokenKey: '', commandKey: COMMAND_KEY, dataKeys: true, sealKeys: [NEW, OLD] },
});

/** As `holdfast keys rotate` does it. */
async function rotate(newDataKeys = false): Promise<Rotated> {
  return rotateKeys(config(), { newDataKeys, pauseMs: 1 }, () => undefined);
}

/** As `holdfast keys list` says it. */
async function listed(): Promise<{ isWhole: boolean; lines: string[] }> {
  const lines: string[] = [];
  const isWhole = await listKeys(config(), (line) => lines.push(line));
  return { isWhole, lines };
}

test('a rotation wraps every data key by the newest while others write, and then nothing needs the old one', async () => {
  const earlier = users[0]!;
  const sealed = { name_sealed: sealedEarlier('From Earlier'), email_sealed: sealedEarlier('earlier@example.com') };
  await db()
    .updateTable('users')
    .set({ ...sealed, email_index: null })
    .where('id', '=', earlier.userId)
    .execute();
  await db().deleteFrom('data_keys').where('owner_id', '=', earlier.userId).execute();
  expect(isNeeded((await usesOf(holdfast.api.deps.sealer))['test']!)).toBe(true);

  const [done] = await Promise.all([
    rotate(),
    ...Array.from({ length: 10 }, async (_, n) => {
      const user = await signUp(`meanwhile_${n}`);
      await addBankAccount(holdfast.api, user);
    }),
  ]);
  expect(done).toMatchObject({ locked: 0 });
  expect(done.resealed).toBeGreaterThan(0);
  // Who came after its batch, wrapped by a process that doesn't know the new key yet, is the next one's.
  await rotate();
  const uses = await usesOf(holdfast.api.deps.sealer);
  expect(uses['test']).toMatchObject({ wraps: 0, isKept: true });
  expect(isNeeded(uses['test']!)).toBe(false);
  expect(await listed()).toMatchObject({
    isWhole: true,
    lines: [
      expect.stringMatching(/^shard 0: newer wraps, \d+ data keys so far$/),
      'shard 0: test is needed by nothing, and may be left out',
    ],
  });

  const only = testSealer(holdfast.shards, [NEW]);
  const all = await db().selectFrom('users').selectAll().execute();
  expect(all.length).toBeGreaterThanOrEqual(15);
  for (const row of all) {
    expect(keyOf(row.name_sealed)?.owner).toBe(row.id);
    const name = row.id === earlier.userId ? 'From Earlier' : `Name of ${row.username}`;
    expect(await only.open(row.name_sealed, fieldOf.name(row.id))).toBe(name);
  }
  const found = await new Users(holdfast.shards, only).byEmail(holdfast.shards.shard(0), 'earlier@example.com');
  expect(found.map(({ id }) => id)).toEqual([earlier.userId]);
  // What stands in the chain can't be sealed anew: the key that sealed it is a data key now.
  expect(await only.open(sealedEarlier('in the chain'), 'anywhere')).toBe('in the chain');
});

test('new data keys seal what may change, and what stands in the chain stays readable with the earlier ones', async () => {
  const [alice, bob] = await holdfast.pair('fresh');
  const { body } = await holdfast.transfer(alice, 'hello', {
    from: walletOf(alice),
    to: walletOf(bob),
    amount: '1.00',
    message: 'hi',
  });
  const account = await addBankAccount(holdfast.api, alice);
  const { details_sealed: details } = await accountRow(account);
  expect((await rotate(true)).resealed).toBeGreaterThan(0);

  const row = await db().selectFrom('users').selectAll().where('id', '=', alice.userId).executeTakeFirstOrThrow();
  const numbers = await db()
    .selectFrom('data_keys')
    .select(['owner_id as owner', 'number'])
    .where('owner_id', '=', alice.userId)
    .orderBy('number')
    .execute();
  expect(numbers).toHaveLength(2);
  expect(keyOf(row.name_sealed)).toEqual(numbers[1]);
  const resealed = (await accountRow(account)).details_sealed;
  expect([keyOf(details), keyOf(resealed)]).toEqual(numbers);
  const { sealer } = holdfast.api.deps;
  const field = fieldOf.bankAccount(account);
  expect(await sealer.open(resealed, field)).toBe(await sealer.open(details, field));
  expect((await holdfast.api.get(`/v1/transactions/${body.id}`, bob.token)).body).toMatchObject({ message: 'hi' });
  expect((await nameOf(alice.token)).name).toBe('Personal Name');
  expect((await verifyShard(db())).findings).toEqual([]);
});

test('a data key whose wrapping key is not given is left as it is, and told of', async () => {
  const strange = testSealer(holdfast.shards, [{ id: 'lost', key: Buffer.alloc(32, 3) }]);
  const facts = { username: 'locked_out', name: 'L', email: 'l@example.com', passwordHash: 'none' };
  const user = (await new Users(holdfast.shards, strange).create({ ...facts, roles: ['customer'] }))!;
  expect((await rotate()).locked).toBe(1);
  expect((await usesOf(holdfast.api.deps.sealer))['lost']).toMatchObject({ isGiven: false, wraps: 1 });
  expect((await listed()).isWhole).toBe(false);
  expect((await new Users(holdfast.shards, strange).byId(user.id))!.name).toBe('L');
});

test('what can’t be opened is left and named, keeps no other from being done, and its key is still needed', async () => {
  const [row, key, whole] = [await signUp('broken_row'), await signUp('broken_key'), await signUp('beside_them')];
  const broken = sealedEarlier('Broken').replace(/.....$/, 'AAAAA');
  await db().updateTable('users').set({ name_sealed: broken }).where('id', '=', row.userId).execute();
  const wrapped = Buffer.alloc(60, 1).toString('base64url');
  await db().updateTable('data_keys').set({ wrapped }).where('owner_id', '=', key.userId).execute();
  const { number } = await db()
    .selectFrom('data_keys')
    .select('number')
    .where('owner_id', '=', key.userId)
    .executeTakeFirstOrThrow();
  const said: string[] = [];
  const done = await rotateKeys(config(), { newDataKeys: false, pauseMs: 1 }, (line) => said.push(line));
  expect(done).toMatchObject({ broken: 2 });
  expect(done.left).toEqual(expect.arrayContaining([row.userId, `${key.userId}.${number}`]));
  expect(said.at(-1)).toMatch(new RegExp(`^Left as it is: .*${row.userId}`));
  expect(said.join()).not.toContain(broken);
  const uses = await usesOf(holdfast.api.deps.sealer);
  expect(uses['test']).toMatchObject({ wraps: 1, seals: 1 });
  expect(isNeeded(uses['test']!)).toBe(true);
  expect((await listed()).lines).toContain('shard 0: test is needed: 1 data keys are wrapped by it, 1 rows sealed');
  expect((await nameOf(whole.token)).name).toBe('Name of beside_them');
  expect(await nameOf(row.token)).toMatchObject({ name: '', email: 'broken_row@example.com' });
  const texts = await db()
    .selectFrom('users')
    .select(['id', 'name_sealed as text'])
    .where('id', 'in', [row.userId, key.userId, whole.userId])
    .execute();
  const opened = await testSealer(holdfast.shards, [NEW, OLD]).openAll(
    texts.map(({ id, text }) => ({ text, field: fieldOf.name(id) })),
  );
  expect(texts.map(({ text }) => opened(text)).sort()).toEqual(['Name of beside_them', null, null]);
});

test('what an attempt that was killed left is done by the next, whatever that process remembers', async () => {
  const people = await Promise.all(Array.from({ length: 4 }, (_, n) => signUp(`killed_${n}`)));
  const [first, second] = [testSealer(holdfast.shards, [NEW, OLD]), testSealer(holdfast.shards, [NEW, OLD])];
  for (const { userId } of people) await second.keys.newestOf(userId);
  const since = new Date();
  const attempt = (sealer: Sealer, reached: () => void) =>
    resealSome(holdfast.shards.shard(0), sealer, { after: '', limit: 1_000, oldKeysAreOf: since, reached });
  const killed = () => {
    throw new Error('killed');
  };
  await expect(attempt(first, killed)).rejects.toThrow('killed');
  await attempt(second, () => undefined);
  for (const { userId } of people) {
    const row = await db().selectFrom('users').selectAll().where('id', '=', userId).executeTakeFirstOrThrow();
    const keys = await db().selectFrom('data_keys').select('number').where('owner_id', '=', userId).execute();
    expect(keys).toHaveLength(2);
    const newest = keys.map(({ number }) => number).reduce((one, other) => (one > other ? one : other));
    for (const text of [row.name_sealed, row.email_sealed]) expect(keyOf(text)?.number).toBe(newest);
  }
});

test('new data keys are not promised by a rotation under way that makes none', async () => {
  await holdfast.stopWorkers();
  const plain = rotate();
  await eventually(
    async () => {
      const { status } = await holdfast.outside.client.workflow.getHandle(ROTATE_WORKFLOW_ID).describe();
      expect(status.name).toBe('RUNNING');
    },
    { withinMs: 15_000 },
  );
  await expect(rotate(true)).rejects.toThrow('A rotation without --data-keys is under way');
  await holdfast.startWorkers();
  await plain;
});

test('nothing is rotated while data keys are switched off', async () => {
  const { secrets, ...rest } = config();
  const off = { ...rest, secrets: { ...secrets, dataKeys: false } };
  const asked = rotateKeys(off, { newDataKeys: true, pauseMs: 1 }, () => undefined);
  await expect(asked).rejects.toThrow('HOLDFAST_DATA_KEYS is off');
  const sealer = createSealer({ shards: holdfast.shards, ...off.secrets });
  const { rotateSome } = keyActivities({ shards: holdfast.shards, sealer } as never);
  const place = { shard: 0, part: 'users' as const, after: '', newDataKeys: true, since: new Date().toISOString() };
  await expect(rotateSome(place)).rejects.toThrow('HOLDFAST_DATA_KEYS is off');
});

function accountRow(id: string) {
  return db().selectFrom('bank_accounts').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}
