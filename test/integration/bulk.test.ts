import { formatAmount } from '../../contracts/money';
import type { TransactionView } from '../../contracts/schemas';
import type { TestUser } from '../support/api';
import { TestHoldfast, walletOf, type Fields } from '../support/holdfast';

let holdfast: TestHoldfast;
beforeAll(async () => (holdfast = await TestHoldfast.start()));
afterAll(() => holdfast.close());

interface Result {
  status: number;
  replayed: boolean;
  transaction?: TransactionView;
}
type Item = Fields & { idempotencyKey: string };
const items = (count: number, from: TestUser, to: TestUser, more: (index: number) => Partial<Item> = () => ({})) =>
  Array.from({ length: count }, (_, index): Item => {
    return { idempotencyKey: `item-${index}`, from: walletOf(from), to: walletOf(to), amount: '0.01', ...more(index) };
  });

describe('POST /v1/transfers/bulk', () => {
  test('takes a thousand, and answers each in its place', async () => {
    const [alice, bob] = await holdfast.pair('thousand', '10000.00');
    const asked = items(1000, alice, bob, (index) => ({ amount: formatAmount(BigInt(index + 1), 'SGD') }));
    const { status, body } = await holdfast.bulk(alice, asked);
    expect(status).toBe(207);
    expect(body.results.map((each: Result) => each.transaction?.amount)).toEqual(asked.map((each) => each.amount));
    expect(new Set(body.results.map((each: Result) => `${each.status} ${each.replayed}`))).toEqual(
      new Set(['201 false']),
    );
    expect(await holdfast.balance(bob)).toBe('5005.00');

    const again = await holdfast.bulk(alice, asked);
    expect(again.body.results).toEqual(body.results.map((each: Result) => ({ ...each, replayed: true })));
    expect(await holdfast.balance(bob)).toBe('5005.00');
  });

  test('takes long messages by the hundreds, in groups that Temporal can carry', async () => {
    const [alice, bob] = await holdfast.pair('messages', '10000.00');
    holdfast.lane.maxGroup = 1_000;
    // Three bytes a character, sealed to over two thousand: more than one payload holds.
    const { status, body } = await holdfast.bulk(
      alice,
      items(600, alice, bob, () => ({ message: '☕'.repeat(500) })),
    );
    holdfast.lane.maxGroup = 500;
    expect(status).toBe(207);
    expect(new Set(body.results.map((each: Result) => each.status))).toEqual(new Set([201]));
    expect(body.results[599].transaction.message).toBe('☕'.repeat(500));
  });

  test('refuses a bad item by itself, each with the answer it would have had alone', async () => {
    const [alice, bob] = await holdfast.pair('mixed');
    const asked = items(6, alice, bob);
    Object.assign(asked[1]!, { amount: '1000.00' });
    Object.assign(asked[2]!, { from: walletOf(bob), to: walletOf(alice) });
    Object.assign(asked[3]!, { to: 'nobody_at_all.SGD' });
    Object.assign(asked[4]!, { to: walletOf(alice) });
    const { body } = await holdfast.bulk(alice, asked);
    expect(body.results).toMatchObject([
      { status: 201, transaction: { status: 'completed' }, replayed: false },
      { status: 422, transaction: { reason: 'insufficient_funds' }, problem: { code: 'transaction_rejected' } },
      { status: 404, problem: { code: 'not_found' }, replayed: false },
      { status: 422, transaction: { reason: 'unknown_recipient' }, problem: { code: 'transaction_rejected' } },
      { status: 422, transaction: { reason: 'same_wallet' }, problem: { code: 'transaction_rejected' } },
      { status: 201, transaction: { status: 'completed' }, replayed: false },
    ]);
    expect(await holdfast.row(holdfast.idOf(alice, 'item-2'))).toBeUndefined();
    expect(await holdfast.balance(alice)).toBe('99.98');
  });

  test('spends no more than there is, in the order given', async () => {
    const [alice, bob] = await holdfast.pair('order', '10.00');
    const { body } = await holdfast.bulk(
      alice,
      items(4, alice, bob, (index) => ({ amount: `${[4, 7, 6, 1][index]}.00` })),
    );
    expect(body.results.map((each: Result) => each.transaction?.status)).toEqual([
      'completed',
      'rejected',
      'completed',
      'rejected',
    ]);
  });

  test('knows keys that were used before, alone or in another bulk', async () => {
    const [alice, bob] = await holdfast.pair('known');
    const [one, two, three] = items(3, alice, bob) as [Item, Item, Item];
    const { idempotencyKey, ...fields } = one;
    const alone = await holdfast.transfer(alice, idempotencyKey, fields);
    const { body } = await holdfast.bulk(alice, [one, two, { ...two, amount: '0.02' }, two]);
    expect(body.results).toMatchObject([
      { status: 201, replayed: true, transaction: alone.body },
      { status: 201, replayed: false },
      { status: 409, replayed: false, problem: { code: 'idempotency_key_reused' } },
      { status: 201, replayed: true },
    ]);
    const other = await holdfast.bulk(alice, [{ ...one, amount: '0.02' }, three, two]);
    expect(other.body.results).toMatchObject([
      { status: 409, problem: { code: 'idempotency_key_reused' } },
      { status: 201, replayed: false },
      { status: 201, replayed: true },
    ]);
    expect(await holdfast.balance(alice)).toBe('99.97');
  });

  test('refuses the whole of a malformed body, naming each mistake, and stores nothing', async () => {
    const [alice, bob] = await holdfast.pair('malformed');
    const good = items(3, alice, bob);
    const bodies: [unknown, string[]][] = [
      [{ transfers: [] }, ['/transfers']],
      [{ transfers: items(1001, alice, bob) }, ['/transfers']],
      [{ transfers: [...good, { ...good[0]!, idempotencyKey: undefined }] }, ['/transfers/3/idempotencyKey']],
      [{ transfers: [...good, { ...good[0]!, idempotencyKey: 'a b' }] }, ['/transfers/3/idempotencyKey']],
      [
        { transfers: [good[0], { ...good[1]!, amount: '0.001' }, { ...good[2]!, amount: '-1' }] },
        ['/transfers/1/amount', '/transfers/2/amount'],
      ],
      [{ transfers: [good[0], { ...good[1]!, from: 'not a wallet' }] }, ['/transfers/1/from']],
      [{ transfers: [good[0], { ...good[1]!, from: 'somebody.XQZ' }] }, ['/transfers/1/from']],
    ];
    for (const [asked, fields] of bodies) {
      const { status, body } = await holdfast.api.post('/v1/transfers/bulk', asked, alice.token);
      expect({ status, code: body.code }).toEqual({ status: 422, code: 'invalid_request' });
      expect(body.errors.map((each: { field: string }) => each.field)).toEqual(fields);
    }
    const unknown = { transfers: [{ ...good[0]!, note: 'x' }] };
    expect(await holdfast.api.post('/v1/transfers/bulk', unknown, alice.token)).toMatchObject({ status: 422 });
    for (const { idempotencyKey } of good) {
      expect(await holdfast.row(holdfast.idOf(alice, idempotencyKey))).toBeUndefined();
    }
    expect(await holdfast.balance(alice)).toBe('100.00');
  });
});
