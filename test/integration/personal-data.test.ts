import { fieldOf, keyOf } from '../../ledger/seal';
import { openShards, type Shards } from '../../ledger/shards';
import { keepEarlierKeys } from '../../users/rewrapping';
import { TestApi, type TestUser } from '../support/api';
import { History } from '../support/history';
import { addBankAccount } from '../support/payments';
import { silent } from '../support/people';
import { everyRow, SEAL_KEYS, sealedEarlier, testSealer } from '../support/sealer';

const NOWHERE = 'postgres://nobody@127.0.0.1:1/nowhere';

let api: TestApi;
let history: History;
let ops: TestUser;
beforeAll(async () => {
  api = await TestApi.start();
  history = new History(api);
  ops = await api.newUser('ops_pd', { roles: ['ops'] });
});
afterAll(() => api.close());

const shard = () => api.deps.shards.shard(0);
const rowOf = (id: string) => shard().db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

describe('personal data', () => {
  test('is nowhere in the database in the clear, and sealed with a key of the user’s own', async () => {
    const body = { username: 'mei_pd', password: 'correct horse', name: 'Mei Personal', email: 'mei@private.example' };
    const { body: user } = await api.post('/v1/users', body);
    const mei = { userId: user.id, username: 'mei_pd', roles: ['customer' as const] };
    const token = api.deps.tokens.issue(mei).accessToken;
    await api.post('/v1/bank-accounts', { holder: 'Mei Holder', number: '99887766', bankCode: 'TESTSGSG' }, token);
    const [alice, bob] = await history.pair('clear');
    await history.pay(alice, bob, 100n, { message: 'a private message' });

    const all = await everyRow(shard());
    expect(all).toContain('mei_pd'); // what is looked through is really there
    expect(all).not.toMatch(/Mei|private|99887766|127\.0\.0\.1/);
    const row = await rowOf(mei.userId);
    for (const text of [row.name_sealed, row.email_sealed]) {
      expect(keyOf(text)?.owner).toBe(mei.userId);
    }
    expect((await api.get('/v1/me', token)).body).toMatchObject({ name: 'Mei Personal', email: 'mei@private.example' });
  });

  test('does not open in another row or field, nor for whom it was not sealed', async () => {
    const [one, other] = [await api.newUser('swap_a', { name: 'One' }), await api.newUser('swap_b', { name: 'Other' })];
    const { name_sealed: name } = await rowOf(one.userId);
    const { sealer } = api.deps;
    expect(await sealer.open(name, fieldOf.name(one.userId))).toBe('One');
    await expect(sealer.open(name, fieldOf.email(one.userId))).rejects.toThrow();
    await expect(sealer.open(name, fieldOf.name(other.userId))).rejects.toThrow();
    const [payload] = name.split('.').slice(-1);
    const forged = (await rowOf(other.userId)).name_sealed.replace(/[^.]+$/, payload!);
    await expect(sealer.open(forged, fieldOf.name(one.userId))).rejects.toThrow();
  });

  test('of before there were data keys is read as ever', async () => {
    const { userId, token } = await api.newUser('earlier');
    const sealed = { name_sealed: sealedEarlier('Earlier Name'), email_sealed: sealedEarlier('earlier@example.com') };
    await shard().db.updateTable('users').set(sealed).where('id', '=', userId).execute();
    expect((await api.get('/v1/me', token)).body).toMatchObject({ name: 'Earlier Name', email: 'earlier@example.com' });
  });

  test('of a user from before there were data keys gets a key with the next that is sealed', async () => {
    const user = await api.newUser('keyless');
    await shard().db.deleteFrom('data_keys').where('owner_id', '=', user.userId).execute();
    const another = testSealer(api.deps.shards);
    const field = fieldOf.message('tx_0_a');
    const texts = await Promise.all([1, 2, 3].map((n) => another.seal(user.userId, field, `text ${n}`)));
    const opened = await testSealer(api.deps.shards).openAll(texts.map((text) => ({ text, field })));
    expect(texts.map(opened)).toEqual(['text 1', 'text 2', 'text 3']);
  });

  test('whose key a restored shard has lost is shown as erased, and the next is sealed with another', async () => {
    const { userId } = await api.newUser('restored');
    const field = fieldOf.message('tx_0_a');
    const before = await testSealer(api.deps.shards).seal(userId, field, 'lost');
    await shard().db.deleteFrom('data_keys').where('owner_id', '=', userId).execute();
    const sealer = testSealer(api.deps.shards);
    const after = await sealer.seal(userId, field, 'kept');
    expect([await sealer.open(before, field), await sealer.open(after, field)]).toEqual(['erased', 'kept']);
  });

  test('stays sealed while its owner’s shard is away, and keeps nobody else from theirs', async () => {
    const { userId } = await api.newUser('far_away', { name: 'Far' });
    const { name_sealed: name } = await rowOf(userId);
    const away = openShards({ urls: [NOWHERE], log: silent, patienceMs: 1 });
    const sealer = testSealer(away);
    const sealed = [
      { text: name, field: fieldOf.name(userId) },
      { text: sealedEarlier('near'), field: 'anywhere' },
    ];
    const opened = await sealer.openAll(sealed);
    expect(sealed.map(({ text }) => opened(text))).toEqual([null, 'near']);
    await expect(sealer.open(name, fieldOf.name(userId))).rejects.toThrow('Shard 0 is not reachable');
    await away.close();
  });

  describe('of before there were data keys, whose key a rotation has kept,', () => {
    const OLD = { id: 'kept_one', key: Buffer.alloc(32, 4) };
    const text = sealedEarlier('from before', OLD);
    let away: Shards;
    beforeAll(() => {
      away = openShards({ urls: [NOWHERE, api.database.appUrl], log: silent, poolSize: 2 });
    });
    afterAll(() => away.close());

    test('can’t be read while a shard is away that may have the key, and is shown as none', async () => {
      const sealer = testSealer(away);
      await expect(sealer.open(text, 'anywhere')).rejects.toThrow('Shard 0 is not reachable');
      expect((await sealer.openAll([{ text, field: 'anywhere' }]))(text)).toBeNull();
    });

    test('is read with what any shard has, and where none has it, it is not asked for again at once', async () => {
      const missing = testSealer(api.deps.shards);
      await expect(missing.open(text, 'anywhere')).rejects.toThrow('No key "kept_one" is given');
      await keepEarlierKeys(away.shard(1), testSealer(away, [...SEAL_KEYS, OLD]));
      await keepEarlierKeys(api.deps.shards.shard(0), testSealer(api.deps.shards, [...SEAL_KEYS, OLD]));
      for (const shards of [away, api.deps.shards]) {
        expect(await testSealer(shards).open(text, 'anywhere')).toBe('from before');
      }
      await expect(missing.open(text, 'anywhere')).rejects.toThrow('No key "kept_one" is given');
    });
  });

  test('can’t be read with another key than the one that wraps', async () => {
    const { userId } = await api.newUser('other_key');
    const { name_sealed: name } = await rowOf(userId);
    const stranger = testSealer(api.deps.shards, [{ ...SEAL_KEYS[0]!, key: Buffer.alloc(32, 9) }]);
    await expect(stranger.open(name, fieldOf.name(userId))).rejects.toThrow();
  });
});

describe('staff', () => {
  const search = (email: string, { token }: TestUser) => api.post('/v1/ops/users/search', { email }, token);

  test('finds users by their e-mail address, however it is written, and no customer does', async () => {
    const { userId } = await api.newUser('wanted');
    const found = await search('Wanted@Example.COM', ops);
    expect(found).toMatchObject({ status: 200, body: { data: [{ id: userId, username: 'wanted' }] } });
    expect(JSON.stringify(found.body)).not.toContain('@');
    expect((await search('nobody@example.com', ops)).body).toEqual({ data: [] });
    expect((await search('no address', ops)).status).toBe(422);
    expect((await search('wanted@example.com', await api.newUser('curious'))).status).toBe(403);
  });
});

test('a bank account that is added is sealed with its owner’s key', async () => {
  const user = await api.newUser('with_account');
  const id = await addBankAccount(api, user);
  const row = await shard().db.selectFrom('bank_accounts').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  expect(keyOf(row.details_sealed)?.owner).toBe(user.userId);
});
