import { maskName } from '../../api/payees';
import { TestApi, type TestUser } from '../support/api';

let api: TestApi;
let asker: TestUser;
beforeAll(async () => {
  api = await TestApi.start();
  asker = await api.newUser('asker');
  await api.newUser('payee', { name: 'Tan Mei Ling', wallets: ['SGD', 'JPY'] });
});
afterAll(() => api.close());

const confirm = (walletId: string) => api.get(`/v1/payees/${walletId}`, asker.token);

describe('confirming a payee', () => {
  test('shows a stranger just enough of the name', async () => {
    expect(await confirm('Payee.sgd')).toMatchObject({
      status: 200,
      body: { walletId: 'payee.SGD', name: 'T**** M**** L****' },
    });
  });

  test('answers alike for whatever can’t be paid: no such user, no such wallet, half a name, the house’s own', async () => {
    const answers = await Promise.all(
      ['nobody.SGD', 'payee.EUR', 'pay', 'payee', 'paye_.SGD', '@bank.SGD'].map(confirm),
    );
    for (const { status, body } of answers) {
      expect({ status, ...body, instance: '', requestId: '' }).toEqual({
        ...answers[0]!.body,
        instance: '',
        requestId: '',
        status: 404,
      });
    }
  });

  test('does not confirm a closed wallet', async () => {
    const user = await api.newUser('gone', { wallets: ['SGD'] });
    expect((await confirm('gone.SGD')).status).toBe(200);
    await api.ask('DELETE', '/v1/wallets/gone.SGD', { token: user.token });
    expect((await confirm('gone.SGD')).status).toBe(404);
  });
});

describe('a masked name', () => {
  test.each([
    ['Yunus', 'Y****'],
    ['  Mei  Ling ', 'M**** L****'],
    ['李小龍', '李****'],
    ['👩‍🚀 Ann', '👩**** A****'],
    ['a b c d e f', 'a**** b**** c**** d****'],
  ])('of %j is %j, whatever the length of its words', (name, masked) => {
    expect(maskName(name)).toBe(masked);
  });
});
