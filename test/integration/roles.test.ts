import { verifyShard } from '../../ledger/verify';
import { Users } from '../../users/store';
import { TestApi, type TestUser } from '../support/api';
import { holdfast } from '../support/command';

const PASSWORD = 'a good long password';

let api: TestApi;
beforeAll(async () => {
  api = await TestApi.start();
  const olivia = { username: 'olivia', password: PASSWORD, name: 'Olivia', email: 'olivia@example.com' };
  expect((await api.post('/v1/users', olivia)).status).toBe(201);
});
afterAll(() => api.close());

const roles = (...args: string[]) =>
  holdfast(['roles', ...args], {
    HOLDFAST_DATA_DIR: '/none',
    HOLDFAST_DATABASE_URLS: api.database.appUrl,
    HOLDFAST_TOKEN_KEY: 'a key for the tokens, which this command does not need',
    HOLDFAST_COMMAND_KEY: 'a key for the commands, which it does not need either',
    HOLDFAST_SEAL_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
    HOLDFAST_BANK_URL: 'http://127.0.0.1:1',
    HOLDFAST_BANK_API_KEY: 'an API key of a bank that nobody asks for anything',
    HOLDFAST_BANK_WEBHOOK_SECRETS: 'a secret of webhooks that nobody will ever send',
  });

async function signIn(): Promise<string> {
  const { status, body } = await api.post('/v1/sessions', { username: 'olivia', password: PASSWORD });
  expect(status).toBe(201);
  return body.accessToken as string;
}

/** What the audit tells of her roles, as an auditor reads it. */
async function told(): Promise<object[]> {
  auditor ??= (await api.newUser('an_auditor', { roles: ['auditor'] })).token;
  const { status, body } = await api.get('/v1/ops/audit?subject=olivia&kind=roles_changed&order=oldest', auditor);
  expect(status).toBe(200);
  return body.data as object[];
}
let auditor: string | undefined;

const bySystem = (roles: string[]) => ({ actor: 'holdfast', role: 'system', detail: { roles } });

test('makes the first admin, takes it away again, and the audit tells of each change once', async () => {
  expect((await api.get('/v1/ops/audit', await signIn())).status).toBe(403);
  expect(await roles('Olivia', 'ops', 'admin')).toMatchObject({ code: 0, err: '' });
  expect((await api.get('/v1/ops/audit', await signIn())).status).toBe(200);
  expect(await roles('olivia', 'admin', 'ops')).toMatchObject({ code: 0 });
  expect(await told()).toMatchObject([bySystem(['ops', 'admin'])]);

  expect(await roles('olivia', 'customer')).toMatchObject({ code: 0 });
  expect((await api.get('/v1/ops/audit', await signIn())).status).toBe(403);
  expect(await told()).toMatchObject([bySystem(['ops', 'admin']), bySystem(['customer'])]);
});

test('says in a sentence that there is no such user or role, and changes nothing', async () => {
  const before = await told();
  expect(await roles('nobody', 'admin')).toMatchObject({
    code: 1,
    err: 'There is no user nobody.\n  Sign them up first, with POST /v1/users.\n',
  });
  expect(await roles('olivia', 'admin', 'king')).toMatchObject({
    code: 1,
    err: 'There is no role king.\n  Roles are customer, ops, auditor, admin.\n',
  });
  expect(await told()).toEqual(before);
});

describe('over the API', () => {
  let admins: [TestUser, TestUser];
  beforeAll(async () => {
    const admin = (name: string) => api.newUser(name, { roles: ['admin'] });
    admins = [await admin('ada'), await admin('adam')];
  });
  const give = ({ token }: TestUser, name: string, wanted: string[]) =>
    api.ask('PUT', `/v1/ops/users/${name}/roles`, { token, body: { roles: wanted } });
  const shard = () => api.deps.shards.shard(0);

  test('one admin alone makes nobody ops or admin, however often they ask; a second who says the same does', async () => {
    const { userId, token } = await api.newUser('second_account');
    for (const _ of [1, 2]) {
      expect(await give(admins[0], 'second_account', ['ops', 'customer'])).toMatchObject({
        status: 202,
        body: { userId, roles: ['customer', 'ops'] },
      });
    }
    expect((await give(admins[0], 'second_account', ['admin'])).body).toMatchObject({ roles: ['admin'] });
    // To say something else is to propose it.
    expect(await give(admins[1], 'second_account', ['ops'])).toMatchObject({ status: 202, body: { roles: ['ops'] } });
    expect((await api.get('/v1/ops/attention', token)).status).toBe(403);
    expect(await give(admins[0], 'second_account', ['ops'])).toMatchObject({ status: 200, body: { roles: ['ops'] } });
    expect((await api.get('/v1/ops/attention', token)).status).toBe(200);
    const { body } = await api.get(`/v1/ops/audit?subject=${userId}&order=oldest`, admins[0].token);
    expect((body.data as { kind: string }[]).map(({ kind }) => kind)).toEqual([
      'user_created',
      ...['roles_proposed', 'roles_proposed', 'roles_proposed', 'roles_changed'],
    ]);
    expect((await verifyShard(shard().db)).findings).toEqual([]);
  });

  test('one admin alone takes any role away, and gives those that decide nothing', async () => {
    await api.newUser('demoted', { roles: ['ops', 'admin'] });
    expect((await give(admins[0], 'demoted', ['ops', 'auditor'])).body).toMatchObject({ roles: ['ops', 'auditor'] });
    expect((await give(admins[0], 'demoted', ['customer'])).body).toMatchObject({ roles: ['customer'] });
    expect((await give(admins[0], 'demoted', ['ops', 'customer'])).status).toBe(202);
    expect((await give(admins[0], 'ada', ['ops'])).body).toMatchObject({ code: 'own_request' });
  });

  test('what is taken away in the same moment is not given back by who saw it still there', async () => {
    const { userId } = await api.newUser('taken_away');
    const users = new Users(api.deps.shards, api.deps.sealer);
    const by = { actorId: admins[0].userId };
    expect(await users.setRoles(userId, ['ops', 'auditor'], by, ['ops'])).toBe(false);
    expect((await users.byUsername('taken_away'))!.roles).toEqual(['customer']);
  });

  test('what was proposed is off once one admin has said otherwise', async () => {
    await api.newUser('doubted');
    expect((await give(admins[0], 'doubted', ['ops'])).status).toBe(202);
    expect((await give(admins[1], 'doubted', ['customer'])).body).toMatchObject({ roles: ['customer'] });
    expect((await give(admins[1], 'doubted', ['ops'])).status).toBe(202);
    expect((await give(admins[0], 'doubted', ['ops'])).body).toMatchObject({ roles: ['ops'] });
    expect((await verifyShard(shard().db)).findings).toEqual([]);
  });

  test('what was proposed is forgotten after a day', async () => {
    const { userId } = await api.newUser('forgotten');
    expect((await give(admins[0], 'forgotten', ['ops'])).status).toBe(202);
    await shard()
      .db.updateTable('role_proposals')
      .set({ proposed_at: new Date(Date.now() - 25 * 3_600_000) })
      .where('user_id', '=', userId)
      .execute();
    expect((await give(admins[1], 'forgotten', ['ops'])).status).toBe(202);
    expect((await give(admins[0], 'forgotten', ['ops'])).status).toBe(200);
  });
});
