import { isTransactionId } from '../../contracts/ids';
import type { Command } from '../../ledger/commands';
import type { TestUser } from '../support/api';
import { TestHoldfast, walletOf } from '../support/holdfast';

let holdfast: TestHoldfast;
beforeAll(async () => (holdfast = await TestHoldfast.start()));
afterAll(() => holdfast.close());

async function changeWallet(user: TestUser, kind: 'freeze' | 'unfreeze' | 'close'): Promise<void> {
  const account = await holdfast.api.deps.names.resolve({ username: user.username, currency: 'SGD' });
  const command: Command = { kind, accountId: account!.accountId, actorId: user.userId };
  expect(await holdfast.shards.shard(0).poster.post([command])).toMatchObject([{ kind: 'wallet' }]);
}

describe('POST /v1/transfers', () => {
  test('answers 201 once the money has moved, with an entry on each side', async () => {
    const [alice, bob] = await holdfast.pair('moves');
    const { status, headers, body } = await holdfast.transfer(alice, 'moves', {
      from: walletOf(alice),
      to: walletOf(bob),
      amount: '12.50',
      message: 'for lunch ☕',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      type: 'transfer',
      status: 'completed',
      from: walletOf(alice),
      to: walletOf(bob),
      amount: '12.50',
      currency: 'SGD',
      message: 'for lunch ☕',
      reason: null,
    });
    expect(isTransactionId(body.id)).toBe(true);
    expect(headers.get('location')).toBe(`/v1/transactions/${body.id}`);
    expect(headers.has('idempotent-replayed')).toBe(false);
    expect([await holdfast.balance(alice), await holdfast.balance(bob)]).toEqual(['87.50', '12.50']);

    const shown = await holdfast.read(alice, body.id);
    const { timeline, refunded, ...transaction } = shown;
    expect(transaction).toEqual(body);
    expect(refunded).toBe('0.00');
    expect(timeline.map((each: { event: string }) => each.event)).toEqual(['completed']);
    for (const [user, amount, balanceAfter] of [
      [alice, '-12.50', '87.50'],
      [bob, '12.50', '12.50'],
    ] as const) {
      const { body: page } = await holdfast.api.get(`/v1/wallets/${walletOf(user)}/entries?type=transfer`, user.token);
      expect(page.data).toMatchObject([{ transactionId: body.id, amount, balanceAfter, message: 'for lunch ☕' }]);
    }
  });

  test('moves the last cent, in the currency’s own digits', async () => {
    const [alice, bob] = [
      await holdfast.api.newUser('digits_a', { wallets: ['JPY', 'KWD'] }),
      await holdfast.api.newUser('digits_b', { wallets: ['JPY', 'KWD'] }),
    ];
    for (const [currency, amount] of [
      ['JPY', '1200'],
      ['KWD', '1.234'],
    ] as const) {
      await holdfast.api.fund(alice.username, currency, amount);
      const fields = { from: walletOf(alice, currency), to: walletOf(bob, currency), amount };
      expect(await holdfast.transfer(alice, `digits ${currency}`.replace(' ', '-'), fields)).toMatchObject({
        status: 201,
        body: { amount, currency },
      });
      expect(await holdfast.balance(bob, currency)).toBe(amount);
    }
  });

  describe('records as rejected, and moves nothing, when', () => {
    const cases: {
      reason: string;
      when: string;
      prepare?: (alice: TestUser, bob: TestUser) => Promise<unknown>;
      to?: (alice: TestUser, bob: TestUser) => string;
      amount?: string;
    }[] = [
      { reason: 'insufficient_funds', when: 'there is less than the amount', amount: '100.01' },
      { reason: 'wallet_frozen', when: 'the source is frozen', prepare: (alice) => changeWallet(alice, 'freeze') },
      { reason: 'wallet_frozen', when: 'the target is frozen', prepare: (_, bob) => changeWallet(bob, 'freeze') },
      { reason: 'wallet_closed', when: 'the target is closed', prepare: (_, bob) => changeWallet(bob, 'close') },
      { reason: 'unknown_recipient', when: 'nobody has the name', to: () => 'nobody_at_all.SGD' },
      { reason: 'unknown_recipient', when: 'the recipient has no such wallet', to: (_, bob) => walletOf(bob, 'KWD') },
      { reason: 'unknown_recipient', when: 'there is no such currency', to: (_, bob) => walletOf(bob, 'XQZ') },
      {
        reason: 'currency_mismatch',
        when: 'the target holds another currency',
        prepare: (_, bob) => holdfast.api.post('/v1/wallets', { currency: 'JPY' }, bob.token),
        to: (_, bob) => walletOf(bob, 'JPY'),
      },
      { reason: 'same_wallet', when: 'source and target are the same', to: (alice) => walletOf(alice) },
    ];
    test.each(cases.map((each, index) => ({ index, amount: '10.00', ...each })))(
      '$when ($reason)',
      async ({ index, reason, prepare, to, amount }) => {
        const [alice, bob] = await holdfast.pair(`refused_${index}`);
        await prepare?.(alice, bob);
        const fields = { from: walletOf(alice), to: to?.(alice, bob) ?? walletOf(bob), amount };
        const { status, headers, body } = await holdfast.transfer(alice, 'refused', fields);
        expect(status).toBe(422);
        expect(body).toMatchObject({ code: 'transaction_rejected', transaction: { status: 'rejected', reason } });
        expect(body.transaction).toMatchObject(fields);
        expect(headers.get('location')).toBe(`/v1/transactions/${body.transaction.id}`);
        expect(await holdfast.read(alice, body.transaction.id)).toMatchObject({
          ...fields,
          status: 'rejected',
          reason,
        });
        expect(await holdfast.entriesOf(body.transaction.id)).toBe(0);
        expect(await holdfast.balance(alice)).toBe('100.00');
      },
    );
  });

  test('rejects from a closed wallet, which is empty, as closed', async () => {
    const [alice, bob] = await holdfast.pair('closed');
    const everything = { from: walletOf(alice), to: walletOf(bob), amount: '100.00' };
    expect((await holdfast.transfer(alice, 'all', everything)).status).toBe(201);
    await changeWallet(alice, 'close');
    const { body } = await holdfast.transfer(alice, 'after', { ...everything, amount: '0.01' });
    expect(body).toMatchObject({ code: 'transaction_rejected', transaction: { reason: 'wallet_closed' } });
  });

  test('answers 404 for a source that isn’t the caller’s, and stores nothing', async () => {
    const [alice, bob] = await holdfast.pair('others');
    for (const from of [walletOf(bob), 'nobody_at_all.SGD', walletOf(alice, 'JPY')]) {
      const { status, body } = await holdfast.transfer(alice, 'others', { from, to: walletOf(alice), amount: '1' });
      expect({ status, code: body.code }).toEqual({ status: 404, code: 'not_found' });
    }
    expect(await holdfast.row(holdfast.idOf(alice, 'others'))).toBeUndefined();
    const good = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
    expect((await holdfast.transfer(alice, 'others', good)).status).toBe(201);
  });

  test('refuses each mistake in an amount by what is wrong with it, and leaves the key unused', async () => {
    const [alice, bob] = await holdfast.pair('mistakes');
    const fields = { from: walletOf(alice), to: walletOf(bob) };
    for (const [amount, says] of [
      [12.5, 'JSON number'],
      ['-1.00', 'sign'],
      ['+1.00', 'sign'],
      ['1e3', 'exponent'],
      ['1.001', 'more decimals'],
      ['0', 'greater than zero'],
      ['0.00', 'greater than zero'],
      ['10000000000000.01', 'largest'],
      ['1,000.00', 'plain decimal'],
      ['.5', 'plain decimal'],
      ['01.00', 'plain decimal'],
      [' 1.00', 'plain decimal'],
      ['', ''],
    ] as const) {
      const { status, body } = await holdfast.transfer(alice, 'mistakes', { ...fields, amount } as never);
      expect({ amount, status, code: body.code }).toEqual({ amount, status: 422, code: 'invalid_request' });
      expect(body.errors).toEqual([{ field: '/amount', message: expect.stringContaining(says) }]);
      expect(body.transaction).toBeUndefined();
    }
    expect(await holdfast.row(holdfast.idOf(alice, 'mistakes'))).toBeUndefined();
    expect((await holdfast.transfer(alice, 'mistakes', { ...fields, amount: '1.00' })).status).toBe(201);
  });

  test('needs a key, of visible characters', async () => {
    const [alice, bob] = await holdfast.pair('keyless');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
    expect(await holdfast.api.post('/v1/transfers', fields, alice.token)).toMatchObject({
      status: 400,
      body: { code: 'missing_idempotency_key' },
    });
    for (const key of ['with space', 'x'.repeat(256), 'ümlaut']) {
      expect(await holdfast.transfer(alice, key, fields)).toMatchObject({
        status: 422,
        body: { code: 'invalid_request', errors: [{ field: 'header Idempotency-Key' }] },
      });
    }
    expect(await holdfast.balance(alice)).toBe('100.00');
  });
});
