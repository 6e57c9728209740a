import { repeatErasures } from '../../cli/erasures/repeat';
import { systemAccountId } from '../../contracts/ids';
import { houseOf } from '../../ledger/data-keys';
import { fieldOf, keyOf } from '../../ledger/seal';
import { verifyShard } from '../../ledger/verify';
import { receive } from '../../payments/inbox';
import type { TransactionView } from '../../contracts/schemas';
import { TestApi, type TestUser } from '../support/api';
import { History, walletOf } from '../support/history';
import { addBankAccount, creditEvent } from '../support/payments';
import { COMMAND_KEY, everyRow, SEAL_KEYS, testSealer } from '../support/sealer';

let api: TestApi;
let history: History;
let admins: [TestUser, TestUser];
beforeAll(async () => {
  api = await TestApi.start();
  history = new History(api);
  const admin = (name: string) => api.newUser(name, { roles: ['admin'] });
  admins = [await admin('ada'), await admin('adam')];
});
afterAll(() => api.close());

const shard = () => api.deps.shards.shard(0);
const erase = (name: string, { token }: TestUser) => api.ask('DELETE', `/v1/users/${name}/personal-data`, { token });
const password = 'correct horse';

async function signUp(username: string): Promise<TestUser> {
  const body = { username, password, name: 'Forgotten Person', email: `${username}@private.example` };
  const { id } = (await api.post('/v1/users', body)).body as { id: string };
  const caller = { userId: id, username, roles: ['customer' as const] };
  const token = api.deps.tokens.issue(caller).accessToken;
  await api.post('/v1/wallets', { currency: 'SGD' }, token);
  return { ...caller, token };
}

async function erasedBy(one: TestUser, other: TestUser, name: string): Promise<void> {
  expect(await erase(name, one)).toMatchObject({ status: 202, body: { state: 'proposed', erasedAt: null } });
  expect(await erase(name, other)).toMatchObject({ status: 200, body: { state: 'erased' } });
}

test('two admins erase a user: what named them is gone, and the books stay whole', async () => {
  const user = await signUp('forgotten');
  const friend = await api.newUser('friend', { wallets: ['SGD'] });
  await api.fund('forgotten', 'SGD', '5.00');
  const account = await addBankAccount(api, user);
  const session = (await api.post('/v1/sessions', { username: 'forgotten', password })).body as {
    refreshToken: string;
  };
  const sent = await history.pay(user, friend, 500n, { message: 'from the forgotten' });
  const { details_sealed: details } = await accountRow(account);
  const { message_sealed: message } = await shard()
    .db.selectFrom('transactions')
    .select('message_sealed')
    .where('id', '=', sent)
    .executeTakeFirstOrThrow();

  await erasedBy(...admins, 'forgotten');

  expect((await api.post('/v1/sessions', { username: 'forgotten', password })).status).toBe(401);
  expect((await api.post('/v1/sessions/refresh', { refreshToken: session.refreshToken })).status).toBe(401);
  expect((await api.get('/v1/me', user.token)).status).toBe(401);
  expect((await api.post('/v1/wallets', { currency: 'JPY' }, user.token)).status).toBe(401);
  const shown = (await api.get(`/v1/transactions/${sent}`, friend.token)).body as TransactionView;
  expect(shown).toMatchObject({ from: 'erased.SGD', to: walletOf(friend), message: 'erased', amount: '5.00' });
  expect(await history.list('/v1/wallets/friend.SGD/entries', friend)).toMatchObject([
    { counterparty: 'erased.SGD', message: 'erased', amount: '5.00' },
  ]);
  const { sealer } = api.deps;
  expect(await sealer.open(details, fieldOf.bankAccount(account))).toBe('erased');
  expect(await sealer.open(message!, fieldOf.message(sent))).toBe('erased');
  expect(await shard().db.selectFrom('data_keys').selectAll().where('owner_id', '=', user.userId).execute()).toEqual(
    [],
  );
  expect(await everyRow(shard())).not.toMatch(/forgotten|Forgotten|private\.example/);

  expect((await verifyShard(shard().db)).findings).toEqual([]);
  const audit = await api.get(`/v1/ops/audit?subject=${user.userId}&limit=50`, admins[0].token);
  const kinds = (audit.body.data as { kind: string; address: string | null }[]).map(({ kind }) => kind);
  expect(kinds).toEqual(expect.arrayContaining(['user_erased', 'erasure_proposed', 'user_created']));
  const signedUp = (audit.body.data as { kind: string; address: string }[]).find(
    ({ kind }) => kind === 'user_created',
  )!;
  expect(signedUp.address).toBe('erased');
  expect(JSON.stringify(audit.body)).not.toMatch(/[Ff]orgotten/);
});

test('nothing is sealed for them any more; who pays into a number that was theirs is told to the house', async () => {
  const user = await signUp('sealed_for');
  const { body } = await api.get('/v1/wallets/sealed_for.SGD/funding-instructions', user.token);
  await erasedBy(...admins, 'sealed_for');
  const { shards } = api.deps;
  await expect(testSealer(shards).seal(user.userId, 'anything', 'a text')).rejects.toThrow('to seal for');
  await expect(testSealer(shards).seal(`us_0_${'a'.repeat(26)}`, 'anything', 'a text')).rejects.toThrow('to seal for');

  const credit = { creditId: 'cr_1', virtualAccount: body.virtualAccount, amountMinor: 1n, currency: 'SGD' };
  const received = await receive({ shards, sealer: testSealer(shards) }, [
    creditEvent('ev_erased', { ...credit, payer: 'A Payer' }),
  ]);
  expect(received).toMatchObject([{ shard: 0, fresh: [{ event_id: 'ev_erased' }] }]);
  const { event } = await shard()
    .db.selectFrom('bank_inbox')
    .select('event')
    .where('event_id', '=', 'ev_erased')
    .executeTakeFirstOrThrow();
  const { payerSealed } = (JSON.parse(event) as { credit: { payerSealed: string } }).credit;
  expect(keyOf(payerSealed)?.owner).toBe(houseOf(0));
});

test('their name is nobody’s any more, and neither is what they are called now', async () => {
  await signUp('once_here');
  await erasedBy(...admins, 'once_here');
  const body = (username: string) => ({ username, password, name: 'New', email: 'new@example.com' });
  for (const username of ['once_here', 'erased', 'erased_anything']) {
    expect(await api.post('/v1/users', body(username))).toMatchObject({
      status: 409,
      body: { code: 'username_taken' },
    });
  }
  expect((await erase('once_here', admins[0])).status).toBe(404);
});

test('one admin alone erases nobody, nor themselves, nor anybody below them', async () => {
  const user = await signUp('still_here');
  for (const _ of [1, 2]) expect((await erase('still_here', admins[0])).body).toMatchObject({ state: 'proposed' });
  expect(await erase('ada', admins[0])).toMatchObject({ status: 403, body: { code: 'own_request' } });
  for (const roles of [['ops' as const], ['auditor' as const], ['customer' as const]]) {
    expect((await erase('still_here', await api.newUser(`not_admin_${roles[0]}`, { roles }))).status).toBe(403);
  }
  expect((await api.get('/v1/me', user.token)).body).toMatchObject({ name: 'Forgotten Person' });

  // A day later nobody remembers what was proposed: then it is proposed anew.
  await shard()
    .db.updateTable('erasures')
    .set({ proposed_at: new Date(Date.now() - 25 * 3_600_000) })
    .where('user_id', '=', user.userId)
    .execute();
  await erasedBy(admins[1], admins[0], 'still_here');
});

test('nobody is erased who has money, or something pending', async () => {
  const rich = await signUp('rich');
  await api.fund('rich', 'SGD', '1.00');
  expect(await erase('rich', admins[0])).toMatchObject({ status: 409, body: { code: 'not_erasable' } });
  const other = await api.newUser('takes_it', { wallets: ['SGD'] });
  const facts = await history.factsOf(rich, other, 100n);
  await history.post({ kind: 'pend', facts, owner: 'transfer/x' });
  expect((await erase('takes_it', admins[0])).status).toBe(409);
  await history.post({ kind: 'transfer', facts });
  await erasedBy(...admins, 'rich');
});

test('nobody is erased while the bank may still return what they withdrew', async () => {
  const left = await signUp('left_lately');
  await api.fund('left_lately', 'SGD', '1.00');
  const facts = { ...(await history.factsOf(left, left, 100n)), type: 'withdrawal' as const };
  await history.post({ kind: 'transfer', facts: { ...facts, to: systemAccountId(0, '@bank', 'SGD') } });
  expect((await erase('left_lately', admins[0])).body).toMatchObject({ code: 'not_erasable' });
});

test('whom a restored shard brings back is erased again by the list that was kept elsewhere', async () => {
  const [back, rich] = [await signUp('came_back'), await signUp('came_back_rich')];
  await api.fund('came_back_rich', 'SGD', '1.00');
  const said: string[] = [];
  const config = {
    shards: [{ url: api.database.appUrl }],
    secrets: { tokenKey: '', commandKey: COMMAND_KEY, dataKeys: true, sealKeys: SEAL_KEYS },
  };
  const repeat = () =>
    repeatErasures(config, [back.userId, rich.userId, `us_0_${'a'.repeat(26)}`], (line) => said.push(line));
  expect(await repeat()).toBe(false);
  expect(said).toEqual([
    `${back.userId}: erased again`,
    `${rich.userId}: has money, or something pending`,
    `us_0_${'a'.repeat(26)}: is not there`,
  ]);
  expect(await everyRow(shard())).not.toContain('came_back"');
  expect((await verifyShard(shard().db)).findings).toEqual([]);
});

function accountRow(id: string) {
  return shard().db.selectFrom('bank_accounts').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}
