import type { TestUser } from '../support/api';
import { TestApi } from '../support/api';

let api: TestApi;
let ruth: TestUser;
beforeAll(async () => {
  api = await TestApi.start();
  ruth = await api.newUser('ruth', { wallets: ['SGD'] });
});
afterAll(() => api.close());

const balance = (query = '', wallet = 'ruth.SGD') => api.get(`/v1/wallets/${wallet}/balance${query}`, ruth.token);
const at = (time: Date) => balance(`?at=${time.toISOString()}`);

test('a wallet’s balance at any past moment is what its entries until then came to', async () => {
  const moments: { time: Date; amount: string }[] = [];
  let total = 0;
  for (let n = 1; n <= 5; n += 1) {
    const id = await api.fund('ruth', 'SGD', `${n}.00`);
    total += n;
    const row = await api.deps.shards
      .shard(0)
      .db.selectFrom('transactions')
      .select('completed_at')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    moments.push({ time: row.completed_at!, amount: `${total}.00` });
    // Each in a millisecond of its own.
    while (Date.now() <= row.completed_at!.getTime() + 1) await new Promise((resume) => setTimeout(resume, 1));
  }
  for (const [n, { time, amount }] of moments.entries()) {
    expect((await at(time)).body).toEqual({
      wallet: 'ruth.SGD',
      currency: 'SGD',
      balance: amount,
      at: time.toISOString(),
    });
    const before = await at(new Date(time.getTime() - 1));
    expect(before.body.balance).toBe(n === 0 ? '0.00' : moments[n - 1]!.amount);
  }
  expect((await balance('?at=2001-01-01T00:00:00Z')).body.balance).toBe('0.00');
  expect((await balance()).body.balance).toBe('15.00');
});

test('a moment to come, what is no time, and another’s wallet have no balance', async () => {
  expect((await at(new Date(Date.now() + 60_000))).status).toBe(422);
  expect((await balance('?at=yesterday')).status).toBe(422);
  expect((await balance('', 'nobody.SGD')).status).toBe(404);
});
