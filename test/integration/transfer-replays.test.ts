import type { Answer } from '../support/api';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { holdChain } from '../support/trouble';

let holdfast: TestHoldfast;
beforeAll(async () => (holdfast = await TestHoldfast.start()));
afterAll(() => holdfast.close());

const isReplay = ({ headers }: Answer) => headers.get('idempotent-replayed') === 'true';
const REUSED = { status: 409, body: { code: 'idempotency_key_reused' } };

describe('the same key with the same command', () => {
  test('answers the completed transaction again, and moves nothing again', async () => {
    const [alice, bob] = await holdfast.pair('again');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00', message: 'once' };
    const first = await holdfast.transfer(alice, 'again', fields);
    const second = await holdfast.transfer(alice, 'again', fields);
    expect([first.status, isReplay(first)]).toEqual([201, false]);
    expect([second.status, isReplay(second)]).toEqual([201, true]);
    expect(second.body).toEqual(first.body);
    expect(await holdfast.entriesOf(first.body.id)).toBe(2);
    expect(await holdfast.balance(alice)).toBe('95.00');
  });

  test('answers a rejection again, though by now there would be enough', async () => {
    const [alice, bob] = await holdfast.pair('consumed');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '150.00' };
    const first = await holdfast.transfer(alice, 'consumed', fields);
    await holdfast.api.fund(alice.username, 'SGD', '100.00');
    const second = await holdfast.transfer(alice, 'consumed', fields);
    expect([first.status, isReplay(first)]).toEqual([422, false]);
    expect([second.status, isReplay(second)]).toEqual([422, true]);
    expect(second.body.transaction).toEqual(first.body.transaction);
    expect(await holdfast.balance(alice)).toBe('200.00');
  });

  test('is the same command when names come in other letter case', async () => {
    const [alice, bob] = await holdfast.pair('cases');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    const shouted = { from: fields.from.toUpperCase(), to: 'CaSeS_B.sgd', amount: '5.00' };
    const first = await holdfast.transfer(alice, 'cases', shouted);
    expect(first).toMatchObject({ status: 201, body: fields });
    const second = await holdfast.transfer(alice, 'cases', fields);
    expect([second.status, isReplay(second), second.body]).toEqual([201, true, first.body]);
  });

  test('is the same command for an unknown recipient too, and stays rejected when that name comes to be', async () => {
    const [alice] = await holdfast.pair('tobe');
    const fields = { from: walletOf(alice), to: 'tobe_later.SGD', amount: '5.00' };
    const first = await holdfast.transfer(alice, 'tobe', fields);
    expect(first.body).toMatchObject({ transaction: { reason: 'unknown_recipient', to: 'tobe_later.SGD' } });
    await holdfast.api.newUser('tobe_later', { wallets: ['SGD'] });
    const second = await holdfast.transfer(alice, 'tobe', { ...fields, to: 'TOBE_LATER.sgd' });
    expect([second.status, isReplay(second)]).toEqual([422, true]);
    expect(second.body.transaction).toEqual(first.body.transaction);
    expect(await holdfast.transfer(alice, 'tobe-2', fields)).toMatchObject({ status: 201 });
  });

  test('is another user’s own key: two users may choose the same', async () => {
    const [alice, bob] = await holdfast.pair('shared');
    await holdfast.api.fund(bob.username, 'SGD', '10.00');
    const one = await holdfast.transfer(alice, 'k', { from: walletOf(alice), to: walletOf(bob), amount: '1.00' });
    const other = await holdfast.transfer(bob, 'k', { from: walletOf(bob), to: walletOf(alice), amount: '1.00' });
    expect([one.status, other.status, isReplay(other)]).toEqual([201, 201, false]);
    expect(one.body.id).not.toBe(other.body.id);
  });

  test('makes one transaction and one pair of entries of two hundred concurrent requests', async () => {
    const [alice, bob] = await holdfast.pair('storm');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
    const answers = await Promise.all(Array.from({ length: 200 }, () => holdfast.transfer(alice, 'storm', fields)));
    expect(new Set(answers.map((each) => each.status))).toEqual(new Set([201]));
    expect(new Set(answers.map((each) => JSON.stringify(each.body))).size).toBe(1);
    expect(answers.filter((each) => !isReplay(each))).toHaveLength(1);
    expect(await holdfast.entriesOf(answers[0]!.body.id)).toBe(2);
    expect(await holdfast.balance(alice)).toBe('99.00');
    const { body } = await holdfast.api.get('/v1/transactions?type=transfer', alice.token);
    expect(body.data).toHaveLength(1);
  });

  test('makes one transaction of single, deferred and bulk requests that cross each other', async () => {
    const [alice, bob] = await holdfast.pair('cross');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
    const ways = [
      () => holdfast.transfer(alice, 'cross', fields),
      () => holdfast.transfer(alice, 'cross', fields, { prefer: 'respond-async' }),
      () => holdfast.bulk(alice, [{ idempotencyKey: 'cross', ...fields }]),
    ];
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => ways[index % ways.length]!()));
    expect(answers.filter(({ status }) => ![201, 202, 207].includes(status))).toEqual([]);
    const id = holdfast.idOf(alice, 'cross');
    await holdfast.becomes(alice, id, 'completed');
    expect(await holdfast.entriesOf(id)).toBe(2);
    expect(await holdfast.balance(alice)).toBe('99.00');
  });
});

describe('the same key with another command is refused with 409', () => {
  test('when the row exists, whatever differs', async () => {
    const [alice, bob] = await holdfast.pair('differs');
    await holdfast.api.newUser('differs_c', { wallets: ['SGD'] });
    await holdfast.api.post('/v1/wallets', { currency: 'JPY' }, alice.token);
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00', message: 'a' };
    expect((await holdfast.transfer(alice, 'differs', fields)).status).toBe(201);
    const { message: _, ...silent } = fields;
    for (const other of [
      { ...fields, amount: '5.01' },
      { ...fields, to: 'differs_c.SGD' },
      { ...fields, from: walletOf(alice, 'JPY'), amount: '500' },
      { ...fields, message: 'b' },
      silent,
    ]) {
      expect(await holdfast.transfer(alice, 'differs', other)).toMatchObject(REUSED);
      expect(await holdfast.transfer(alice, 'differs', other, { prefer: 'respond-async' })).toMatchObject(REUSED);
    }
    expect(await holdfast.balance(alice)).toBe('95.00');
    // The same amount in other digits is the same command.
    expect(isReplay(await holdfast.transfer(alice, 'differs', { ...fields, amount: '5.0' }))).toBe(true);
  });

  test('when the row is a rejection', async () => {
    const [alice, bob] = await holdfast.pair('rejected');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '500.00' };
    expect((await holdfast.transfer(alice, 'rejected', fields)).status).toBe(422);
    expect(await holdfast.transfer(alice, 'rejected', { ...fields, amount: '5.00' })).toMatchObject(REUSED);
  });

  test('when the first is still in flight here', async () => {
    const [alice, bob] = await holdfast.pair('flight');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    const letGo = await holdChain(holdfast.database);
    const first = holdfast.transfer(alice, 'flight', fields);
    await new Promise((resume) => setTimeout(resume, 300));
    const other = { ...fields, amount: '6.00' };
    const others = Promise.all([
      holdfast.transfer(alice, 'flight', other),
      holdfast.transfer(alice, 'flight', other, { prefer: 'respond-async' }),
      holdfast.bulk(alice, [{ idempotencyKey: 'flight', ...other }]),
    ]);
    await new Promise((resume) => setTimeout(resume, 200));
    await letGo();
    expect(await first).toMatchObject({ status: 201, body: { amount: '5.00' } });
    const results = [{ status: 409, problem: { code: 'idempotency_key_reused' } }];
    expect(await others).toMatchObject([REUSED, REUSED, { status: 207, body: { results } }]);
    expect(await holdfast.balance(alice)).toBe('95.00');
  });

  test('when both come at the same moment: one of them wins, and all who asked for it learn so', async () => {
    const [alice, bob] = await holdfast.pair('race');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        holdfast.transfer(
          alice,
          'race',
          { ...fields, amount: index % 2 === 0 ? '1.00' : '2.00' },
          {
            ...(index % 5 === 0 && { prefer: 'respond-async' }),
          },
        ),
      ),
    );
    const conflicts = answers.filter(({ status }) => status === 409);
    const amounts = new Set(answers.filter(({ status }) => status < 300).map(({ body }) => body.amount));
    expect(conflicts).toHaveLength(10);
    expect(amounts.size).toBe(1);
    await holdfast.becomes(alice, holdfast.idOf(alice, 'race'), 'completed');
    expect(await holdfast.entriesOf(holdfast.idOf(alice, 'race'))).toBe(2);
  });

  test('when one bulk has the key twice', async () => {
    const [alice, bob] = await holdfast.pair('twice');
    const fields = { idempotencyKey: 'twice', from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    const { status, body } = await holdfast.bulk(alice, [fields, { ...fields, amount: '6.00' }, fields]);
    expect(status).toBe(207);
    expect(body.results).toMatchObject([
      { status: 201, replayed: false, transaction: { amount: '5.00' } },
      { status: 409, replayed: false, problem: { code: 'idempotency_key_reused' } },
      { status: 201, replayed: true, transaction: { amount: '5.00' } },
    ]);
    expect(await holdfast.balance(alice)).toBe('95.00');
  });
});
