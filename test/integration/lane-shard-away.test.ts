import { TestHoldfast, walletOf } from '../support/holdfast';
import { eventually } from '../support/eventually';
import { Wire } from '../support/wire';

let postgres: Wire;
let holdfast: TestHoldfast;
beforeAll(async () => {
  holdfast = await TestHoldfast.start({
    patienceMs: 1_500,
    transfers: { groupMaxAgeMs: 60_000 },
    databaseUrl: async ({ appUrl }) => {
      postgres = await Wire.to(appUrl);
      return postgres.urlOf(appUrl);
    },
  });
});
beforeEach(() => (holdfast.lane.deadlineMs = 5_000));
afterEach(() => postgres.comeBack());
afterAll(async () => {
  await holdfast.close();
  await postgres.close();
});

const ASYNC = { prefer: 'respond-async' };

describe('with a shard that can’t be reached', () => {
  test('who comes first learns that the outcome is unknown, and who comes next is refused at the door', async () => {
    const [alice, bob] = await holdfast.pair('down');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    expect((await holdfast.transfer(alice, 'before', fields)).status).toBe(201);

    holdfast.lane.deadlineMs = 500;
    postgres.goAway();
    const first = await holdfast.transfer(alice, 'first', fields);
    expect(first).toMatchObject({ status: 503, body: { code: 'outcome_unknown' } });
    expect(first.headers.get('retry-after')).toBe('1');
    for (const headers of [{}, ASYNC]) {
      const next = await holdfast.transfer(alice, 'next', fields, headers);
      expect(next).toMatchObject({ status: 503, body: { code: 'shard_unavailable' } });
      expect(next.headers.get('retry-after')).toBe('1');
    }
    const { status, body } = await holdfast.bulk(alice, [{ idempotencyKey: 'next', ...fields }]);
    expect(status).toBe(207);
    expect(body.results).toMatchObject([{ status: 503, problem: { code: 'shard_unavailable' } }]);

    // The first goes on by itself once the shard is back; the others were never sent.
    postgres.comeBack();
    holdfast.lane.deadlineMs = 5_000;
    const id = holdfast.idOf(alice, 'first');
    await eventually(async () => expect(await holdfast.entriesOf(id)).toBe(2), { withinMs: 20_000 });
    expect(await holdfast.row(holdfast.idOf(alice, 'next'))).toBeUndefined();
    const replay = await eventually(async () => {
      const answer = await holdfast.transfer(alice, 'first', fields);
      expect(answer.status).toBe(201);
      return answer;
    });
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
    expect((await holdfast.transfer(alice, 'next', fields)).status).toBe(201);
    expect(await holdfast.balance(alice)).toBe('85.00');
  });

  test('a deferred transfer that could not be confirmed is outcome_unknown, and safe to send again', async () => {
    const [alice, bob] = await holdfast.pair('unconfirmed');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    expect((await holdfast.transfer(alice, 'before', fields)).status).toBe(201);
    postgres.swallowAnswers(); // the row is written, and nobody learns of it
    const answer = await holdfast.transfer(alice, 'unconfirmed', fields, ASYNC);
    expect(answer).toMatchObject({ status: 503, body: { code: 'outcome_unknown' } });
    postgres.comeBack();
    await eventually(
      async () => expect([201, 202]).toContain((await holdfast.transfer(alice, 'unconfirmed', fields)).status),
      { withinMs: 15_000 },
    );
    await holdfast.becomes(alice, holdfast.idOf(alice, 'unconfirmed'), 'completed');
    expect(await holdfast.balance(alice)).toBe('90.00');
  });
});
