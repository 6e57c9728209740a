import { TestApi } from '../support/api';
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
