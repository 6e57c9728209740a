import type { TestUser } from '../support/api';
import { BANK_SECRET, TestBank } from '../support/bank';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { pay, type PaymentFields } from '../support/payments';

/** Everything over HTTP, as customer, bank and operator have it; nothing is polled for, so only webhooks bring news. */
let bank: TestBank;
let holdfast: TestHoldfast;
let mei: TestUser;
let fields: PaymentFields;
beforeAll(async () => {
  bank = await TestBank.start();
  holdfast = await TestHoldfast.start({ rail: bank.rail, payments: { pollFirstMs: 600_000, pollMaxMs: 600_000 } });
  await bank.stop();
  await bank.startAgain({
    webhook: { url: `${holdfast.api.url}/v1/bank/webhooks`, secret: BANK_SECRET },
    settleAfterMs: 50,
  });
  mei = await holdfast.api.newUser('mei', { wallets: ['SGD'] });
  const account = { holder: 'Mei Tan', number: '12345678', bankCode: 'TESTSGSG' };
  const added = await holdfast.api.post('/v1/bank-accounts', account, mei.token);
  expect(added).toMatchObject({ status: 201, body: { status: 'verified' } });
  fields = { wallet: walletOf(mei), amount: '50.00', bankAccount: added.body.id };
});
afterAll(async () => {
  await holdfast.close();
  await bank.close();
});

test('who waits for a deposit, and then for a withdrawal, is answered 201 once the bank has settled', async () => {
  const deposit = await pay(holdfast.api, mei, 'deposits', 'in', fields, { query: '?wait=20' });
  expect(deposit).toMatchObject({ status: 201, body: { status: 'completed', amount: '50.00' } });
  expect(await holdfast.balance(mei)).toBe('50.00');
  const headers = { Prefer: 'wait=20' };
  const withdrawal = await pay(holdfast.api, mei, 'withdrawals', 'out', { ...fields, amount: '20.00' }, { headers });
  expect(withdrawal).toMatchObject({ status: 201, body: { status: 'completed' } });
  expect(withdrawal.headers.get('preference-applied')).toBe('wait=20');
  expect(await holdfast.balance(mei)).toBe('30.00');
});

test('what is paid into a virtual account reaches its wallet once', async () => {
  const { body } = await holdfast.api.get(`/v1/wallets/${walletOf(mei)}/funding-instructions`, mei.token);
  const before = Number(await holdfast.balance(mei));
  const { virtualAccount } = body;
  await bank.control.credit({ virtualAccount, amountMinor: 7_00n, currency: 'SGD', payer: 'A Friend' });
  await eventually(async () => expect(Number(await holdfast.balance(mei))).toBe(before + 7));
  const { body: mine } = await holdfast.api.get('/v1/transactions?type=deposit&status=completed', mei.token);
  expect(mine.data[0]).toMatchObject({ amount: '7.00', from: '@bank.SGD', to: walletOf(mei), bankAccount: null });
});

test('what is paid into no account of ours waits on ops’ list', async () => {
  const ops = await holdfast.api.newUser('ops_journey', { roles: ['ops'] });
  await bank.control.credit({ virtualAccount: '8800009', amountMinor: 1_00n, currency: 'SGD', payer: 'A Stranger' });
  await eventually(async () => {
    const { body } = await holdfast.api.get('/v1/ops/inbox', ops.token);
    expect(body.data).toMatchObject([{ kind: 'credit', amount: '1.00', payer: 'A Stranger' }]);
  });
});
