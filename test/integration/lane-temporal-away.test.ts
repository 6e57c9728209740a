import { TestHoldfast, walletOf } from '../support/holdfast';
import { eventually } from '../support/eventually';
import { Wire } from '../support/wire';

const ASYNC = { prefer: 'respond-async' };

let temporal: Wire;
let holdfast: TestHoldfast;
beforeAll(async () => {
  temporal = await Wire.to(process.env['HOLDFAST_TEST_TEMPORAL_ADDRESS']!);
  holdfast = await TestHoldfast.start({ temporalAddress: temporal.address, lane: { deadlineMs: 8_000 } });
});
afterEach(() => temporal.comeBack());
afterAll(async () => {
  await holdfast.close();
  await temporal.close();
});

describe.each([
  { how: 'whose answers are lost', leave: () => temporal.swallowAnswers() },
  { how: 'that can’t be reached', leave: () => temporal.goAway() },
])('with a Temporal $how', ({ how, leave }) => {
  const name = how.includes('lost') ? 'lost' : 'away';

  test('a start of unknown outcome is 202 with its row, requests behind it are 503 with nothing stored, and it completes once', async () => {
    const [alice, bob] = await holdfast.pair(name);
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    expect((await holdfast.transfer(alice, 'before', fields)).status).toBe(201);
    leave();

    const unknown = await holdfast.transfer(alice, 'unknown', fields);
    expect(unknown).toMatchObject({ status: 202, body: { status: 'pending' } });
    expect(unknown.headers.get('location')).toBe(`/v1/transactions/${unknown.body.id}`);
    expect(await holdfast.row(unknown.body.id)).toMatchObject({
      status: 'pending',
      owner_workflow: expect.stringMatching(/^lane\//),
    });

    for (const headers of [{}, ASYNC]) {
      const refused = await holdfast.transfer(alice, 'refused', fields, headers);
      expect(refused).toMatchObject({ status: 503, body: { code: 'not_started' } });
      expect(refused.headers.get('retry-after')).toBe('1');
    }
    const { body } = await holdfast.bulk(alice, [{ idempotencyKey: 'refused', ...fields }]);
    expect(body.results).toMatchObject([{ status: 503, problem: { code: 'not_started' } }]);
    expect(await holdfast.row(holdfast.idOf(alice, 'refused'))).toBeUndefined();
    expect(await holdfast.read(alice, unknown.body.id)).toMatchObject({ status: 'pending' });

    temporal.comeBack();
    await holdfast.becomes(alice, unknown.body.id, 'completed', 20_000);
    expect(await holdfast.entriesOf(unknown.body.id)).toBe(2);
    await eventually(async () => expect((await holdfast.transfer(alice, 'refused', fields)).status).toBe(201));
    const again = await holdfast.transfer(alice, 'unknown', fields);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(await holdfast.balance(alice)).toBe('85.00');
  });
});
