import type { TestUser } from '../support/api';
import { TestHoldfast, walletOf } from '../support/holdfast';

let holdfast: TestHoldfast;
let ops: TestUser;
beforeAll(async () => {
  holdfast = await TestHoldfast.start();
  ops = await holdfast.api.newUser('ops_refunds', { roles: ['ops'] });
});
afterAll(() => holdfast.close());

async function paid(name: string): Promise<{ alice: TestUser; bob: TestUser; id: string }> {
  const [alice, bob] = await holdfast.pair(name);
  const fields = { from: walletOf(alice), to: walletOf(bob), amount: '10.00' };
  return { alice, bob, id: (await holdfast.transfer(alice, 'paid', fields)).body.id };
}

const refund = (user: TestUser, id: string, key: string, body: object = {}, headers = {}) =>
  holdfast.api.post(`/v1/transactions/${id}/refund`, body, user.token, { 'idempotency-key': key, ...headers });

describe('a refund', () => {
  test('gives back all of a transfer, and both are linked', async () => {
    const { alice, bob, id } = await paid('ref_all');
    const { status, body } = await refund(bob, id, 'back', { message: 'sorry' });
    expect({ status, body }).toMatchObject({
      status: 201,
      body: {
        type: 'refund',
        from: walletOf(bob),
        to: walletOf(alice),
        amount: '10.00',
        linkedTo: id,
        message: 'sorry',
      },
    });
    expect([await holdfast.balance(alice), await holdfast.balance(bob)]).toEqual(['100.00', '0.00']);
    expect(await holdfast.read(alice, id)).toMatchObject({ refunded: '10.00', linkedTo: null });
    expect(await holdfast.read(alice, body.id)).toMatchObject({ linkedTo: id, refunded: null });
    const audit = await holdfast.api.get('/v1/ops/audit', ops.token);
    expect(audit.body.data.map((each: { kind: string }) => each.kind)).not.toContain('refunded');
  });

  test('in parts ends with what is left', async () => {
    const { alice, bob, id } = await paid('ref_part');
    expect((await refund(bob, id, 'part', { amount: '3.33' })).status).toBe(201);
    expect((await refund(bob, id, 'rest')).body.amount).toBe('6.67');
    expect(await holdfast.balance(alice)).toBe('100.00');
  });

  test('sent again is one, also of all that is left', async () => {
    const { alice, bob, id } = await paid('ref_again');
    const first = await refund(bob, id, 'back');
    const again = await refund(bob, id, 'back');
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect((await refund(bob, id, 'back', { amount: '1.00' })).status).toBe(409);
    expect(await holdfast.balance(alice)).toBe('100.00');
  });

  test('of more than is left is rejected, however many ask at once', async () => {
    const { alice, bob, id } = await paid('ref_much');
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) => refund(bob, id, `part-${n}`, { amount: '4.00' })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 422, 422, 422, 422]);
    expect(answers.find(({ status }) => status === 422)!.body.transaction.reason).toBe('nothing_left');
    expect(await holdfast.balance(alice)).toBe('98.00');
    await refund(bob, id, 'rest');
    expect((await refund(bob, id, 'nothing')).body).toMatchObject({ transaction: { reason: 'nothing_left' } });
  });

  test('can be made by staff on the recipient’s behalf, in the staff’s own name', async () => {
    const { alice, bob, id } = await paid('ref_staff');
    const { status, body } = await refund(ops, id, 'back', { amount: '1.00' });
    expect(status).toBe(201);
    expect(await holdfast.row(body.id)).toMatchObject({ actor_id: ops.userId });
    expect([await holdfast.balance(alice), await holdfast.balance(bob)]).toEqual(['91.00', '9.00']);
  });

  test('is nobody else’s to make: 404 for its sender and for strangers', async () => {
    const { alice, id } = await paid('ref_others');
    const [stranger] = await holdfast.pair('ref_stranger');
    for (const user of [alice, stranger]) expect((await refund(user, id, 'back')).status).toBe(404);
    expect(await holdfast.balance(alice)).toBe('90.00');
  });

  test('of a refund, or of what is no transfer, is not_refundable', async () => {
    const { alice, bob, id } = await paid('ref_what');
    const back = (await refund(bob, id, 'back')).body.id;
    const opening = await holdfast.api.fund(alice.username, 'SGD', '1.00');
    for (const [user, of] of [
      [alice, back],
      [alice, opening],
      [ops, opening],
    ] as const) {
      expect(await refund(user, of, 'again')).toMatchObject({ status: 422, body: { code: 'not_refundable' } });
    }
  });

  test('can be left to go on by itself', async () => {
    const { alice, bob, id } = await paid('ref_async');
    const { status, body } = await refund(bob, id, 'back', {}, { prefer: 'respond-async' });
    expect(status).toBe(202);
    await holdfast.becomes(bob, body.id, 'completed');
    expect(await holdfast.balance(alice)).toBe('100.00');
  });
});
