import { fieldOf } from '../../ledger/seal';
import { TestApi, type TestUser } from '../support/api';
import { addBankAccount } from '../support/payments';

let api: TestApi;
let mei: TestUser;
beforeAll(async () => {
  api = await TestApi.start();
  mei = await api.newUser('mei', { wallets: ['SGD'] });
});
afterAll(() => api.close());

const good = { holder: 'Mei Tan', number: 'nl91 abna 0417 1643 00', bankCode: 'abnanl2a' };
const add = (fields: object, user = mei) => api.post('/v1/bank-accounts', fields, user.token);

describe('a bank account', () => {
  test('is added unverified, shown masked, and kept with nothing of it readable', async () => {
    const { status, headers, body } = await add(good);
    expect(status).toBe(201);
    expect(body).toMatchObject({ number: '****4300', bankCode: 'ABNANL2A', status: 'unverified', reason: null });
    expect(headers.get('location')).toBe(`/v1/bank-accounts/${body.id}`);
    expect(await api.get(`/v1/bank-accounts/${body.id}`, mei.token)).toMatchObject({ status: 200, body });
    const { db } = api.deps.shards.shard(0);
    const row = await db.selectFrom('bank_accounts').selectAll().where('id', '=', body.id).executeTakeFirstOrThrow();
    expect(JSON.stringify(row)).not.toMatch(/Mei|0417164300/);
    expect(JSON.parse(await api.deps.sealer.open(row.details_sealed, fieldOf.bankAccount(row.id)))).toEqual({
      holder: 'Mei Tan',
      number: 'NL91ABNA0417164300',
    });
  });

  test('added again, however it is written, is the same one; another owner’s is another', async () => {
    const first = await add(good);
    const again = await add({ ...good, number: 'NL91ABNA0417164300' });
    expect(again).toMatchObject({ status: 200, body: { id: first.body.id } });
    const nick = await api.newUser('nick_b');
    expect((await add(good, nick)).body.id).not.toBe(first.body.id);
  });

  test('added again with its holder’s name put right is another, to be verified anew', async () => {
    const mistaken = await add({ ...good, holder: 'Mei Tam' });
    const right = await add({ ...good, holder: ' mei  TAN ' });
    expect(right.body.id).not.toBe(mistaken.body.id);
    expect(right.body.id).toBe((await add(good)).body.id);
  });

  test('shows what the bank said of it', async () => {
    const id = await addBankAccount(api, mei, 'refused');
    const { db } = api.deps.shards.shard(0);
    await db.updateTable('bank_accounts').set({ reason: 'AC01' }).where('id', '=', id).execute();
    const { body } = await api.get('/v1/bank-accounts', mei.token);
    expect(body.data[0]).toMatchObject({ id, status: 'refused', reason: 'AC01' });
  });

  test.each([
    ['number', 'AB-1234'],
    ['number', '1234'],
    ['number', 'X'.repeat(35)],
    ['bankCode', 'AB'],
    ['bankCode', 'ABCDEFGHIJKL'],
    ['holder', '   '],
    ['holder', 'x'.repeat(141)],
  ])('with the %s %j is refused, and stores nothing', async (field, value) => {
    const before = await api.get('/v1/bank-accounts', mei.token);
    expect(await add({ ...good, [field]: value })).toMatchObject({
      status: 422,
      body: { code: 'invalid_request', errors: [{ field: `/${field}` }] },
    });
    expect((await api.get('/v1/bank-accounts', mei.token)).body).toEqual(before.body);
  });
});

describe('funding instructions', () => {
  const ask = (user = mei) => api.get(`/v1/wallets/${user.username}.SGD/funding-instructions`, user.token);

  test('name a number of the wallet’s own, the same each time and for all who ask at once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask()));
    const { body } = answers[0]!;
    expect(body).toEqual({
      virtualAccount: expect.stringMatching(/^880000\d{10}$/),
      currency: 'SGD',
      reference: 'mei.SGD',
    });
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body });
    const other = await api.newUser('other_b', { wallets: ['SGD'] });
    expect((await ask(other)).body.virtualAccount).not.toBe(body.virtualAccount);
  });
});
