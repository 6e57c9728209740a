import { LANE_TASK_QUEUE } from '../../contracts/transfers';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { eventually } from '../support/eventually';
import { holdChain } from '../support/trouble';

let holdfast: TestHoldfast;
beforeAll(async () => (holdfast = await TestHoldfast.start()));
afterAll(() => holdfast.close());

const settings = { deadlineMs: 5_000, maxQueued: 10_000, groupsInFlight: 8 };
afterEach(() => Object.assign(holdfast.lane, settings));

const ASYNC = { prefer: 'respond-async' };
const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

/** Runs with no worker in reach, so that whatever is started stays where it is. */
async function withoutWorkers<T>(work: () => Promise<T>): Promise<T> {
  await holdfast.stopWorkers([LANE_TASK_QUEUE]);
  try {
    return await work();
  } finally {
    await holdfast.startWorkers([LANE_TASK_QUEUE]);
  }
}

describe('Prefer: respond-async', () => {
  test('is answered 202 with the row written first, which is never a 404 and later completed', async () => {
    const [alice, bob] = await holdfast.pair('deferred');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00', message: 'later' };
    const answer = await withoutWorkers(async () => {
      const answer = await holdfast.transfer(alice, 'deferred', fields, ASYNC);
      expect(await holdfast.read(alice, answer.body.id)).toMatchObject({ ...fields, status: 'pending' });
      return answer;
    });
    expect(answer).toMatchObject({ status: 202, body: { ...fields, status: 'pending', completedAt: null } });
    expect(answer.headers.get('location')).toBe(`/v1/transactions/${answer.body.id}`);
    expect(answer.headers.get('preference-applied')).toBe('respond-async');
    const { timeline } = await holdfast.becomes(alice, answer.body.id, 'completed');
    expect(timeline.map((each: { event: string }) => each.event)).toEqual(['pending', 'completed']);
    expect(await holdfast.entriesOf(answer.body.id)).toBe(2);
  });

  test('is refused by the books afterwards, where the transaction says why', async () => {
    const [alice, bob] = await holdfast.pair('refused');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '500.00' };
    const { status, body } = await holdfast.transfer(alice, 'refused', fields, ASYNC);
    expect(status).toBe(202);
    expect(await holdfast.becomes(alice, body.id, 'rejected')).toMatchObject({ reason: 'insufficient_funds' });
    expect(await holdfast.transfer(alice, 'refused', fields, ASYNC)).toMatchObject({
      status: 422,
      body: { transaction: { id: body.id, reason: 'insufficient_funds' } },
    });
  });

  test('asked again answers as it now stands', async () => {
    const [alice, bob] = await holdfast.pair('asked');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    const [first, second] = await withoutWorkers(async () => [
      await holdfast.transfer(alice, 'asked', fields, ASYNC),
      await holdfast.transfer(alice, 'asked', fields, ASYNC),
    ]);
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([202, null]);
    expect([second.status, second.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
    expect(second.body).toEqual(first.body);
    await holdfast.becomes(alice, first.body.id, 'completed');
    const third = await holdfast.transfer(alice, 'asked', fields, ASYNC);
    expect([third.status, third.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(await holdfast.entriesOf(first.body.id)).toBe(2);
  });
});

describe('past the deadline', () => {
  test('a transfer nobody could run yet is pending, owned by its group, and completes exactly once', async () => {
    const [alice, bob] = await holdfast.pair('deadline');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    holdfast.lane.deadlineMs = 400;
    const [first, again] = await withoutWorkers(async () => {
      const first = await holdfast.transfer(alice, 'deadline', fields);
      const row = await holdfast.row(first.body.id);
      expect(row).toMatchObject({ status: 'pending', owner_workflow: expect.stringMatching(/^lane\//) });
      const { status } = await holdfast.outside.client.workflow.getHandle(row!.owner_workflow!).describe();
      expect(status.name).toBe('RUNNING');
      return [first, await holdfast.transfer(alice, 'deadline', fields)];
    });
    expect(first).toMatchObject({ status: 202, body: { status: 'pending' } });
    expect(first.headers.get('location')).toBe(`/v1/transactions/${first.body.id}`);
    expect(first.headers.has('idempotent-replayed')).toBe(false);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
    await holdfast.becomes(alice, first.body.id, 'completed');
    await pause(300); // the second request's group ends too
    expect(await holdfast.entriesOf(first.body.id)).toBe(2);
    expect(await holdfast.balance(alice)).toBe('95.00');
  });

  test('a transfer that is posted before its row could be written down is answered as what it is', async () => {
    const [alice, bob] = await holdfast.pair('justafter');
    holdfast.lane.deadlineMs = 300;
    const letGo = await holdChain(holdfast.database);
    const asked = holdfast.transfer(alice, 'justafter', { from: walletOf(alice), to: walletOf(bob), amount: '5.00' });
    await pause(700);
    await letGo();
    const answer = await asked;
    expect(answer).toMatchObject({ status: 201, body: { status: 'completed' } });
    expect(answer.headers.has('idempotent-replayed')).toBe(false);
    expect(await holdfast.entriesOf(answer.body.id)).toBe(2);
  });

  test('neither an outcome nor a row to be had is 503 outcome_unknown, and the same key finds out later', async () => {
    const [alice, bob] = await holdfast.pair('neither');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    holdfast.lane.deadlineMs = 300;
    const letGo = await holdChain(holdfast.database);
    const answers = await Promise.all([
      holdfast.transfer(alice, 'neither', fields),
      holdfast.transfer(alice, 'neither-async', fields, ASYNC),
    ]);
    for (const { status, headers, body } of answers) {
      expect({ status, code: body.code }).toEqual({ status: 503, code: 'outcome_unknown' });
      expect(headers.get('retry-after')).toBe('1');
    }
    await letGo();
    holdfast.lane.deadlineMs = 5_000;
    for (const key of ['neither', 'neither-async']) {
      const again = await eventually(async () => {
        const answer = await holdfast.transfer(alice, key, fields);
        expect(answer.status).toBe(201);
        return answer;
      });
      expect(await holdfast.entriesOf(again.body.id)).toBe(2);
    }
    expect(await holdfast.balance(alice)).toBe('90.00');
  });
});

test('a group that another process runs is answered as it ended, which its workflow tells', async () => {
  const [alice, bob] = await holdfast.pair('elsewhere');
  holdfast.postsGroups = false;
  try {
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '5.00' };
    const answers = await Promise.all([
      holdfast.transfer(alice, 'elsewhere', fields),
      holdfast.transfer(alice, 'elsewhere-2', { ...fields, amount: '500.00' }),
    ]);
    expect(answers).toMatchObject([
      { status: 201, body: { status: 'completed' } },
      { status: 422, body: { transaction: { reason: 'insufficient_funds' } } },
    ]);
    for (const { headers } of answers) expect(headers.has('idempotent-replayed')).toBe(false);
  } finally {
    holdfast.postsGroups = true;
  }
});

describe('a lane with too much waiting', () => {
  test('refuses what comes on top with 503 overloaded, and nothing of it is stored', async () => {
    const [alice, bob] = await holdfast.pair('toomuch');
    Object.assign(holdfast.lane, { maxQueued: 2, groupsInFlight: 1 });
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
    // It is answered once no group of an earlier test is under way.
    expect(await holdfast.transfer(alice, 'toomuch-before', fields)).toMatchObject({ status: 201 });
    const letGo = await holdChain(holdfast.database);
    const first = holdfast.transfer(alice, 'toomuch-0', fields);
    await pause(300);
    const waiting = [1, 2].map((key) => holdfast.transfer(alice, `toomuch-${key}`, fields));
    await pause(100);
    for (const headers of [{}, ASYNC]) {
      const { status, headers: answered, body } = await holdfast.transfer(alice, 'toomuch-3', fields, headers);
      expect({ status, code: body.code }).toEqual({ status: 503, code: 'overloaded' });
      expect(answered.get('retry-after')).toBe('1');
    }
    const { body } = await holdfast.bulk(alice, [{ idempotencyKey: 'toomuch-3', ...fields }]);
    expect(body.results).toMatchObject([{ status: 503, problem: { code: 'overloaded' } }]);
    await letGo();
    expect(await Promise.all([first, ...waiting])).toMatchObject([{ status: 201 }, { status: 201 }, { status: 201 }]);
    expect(await holdfast.row(holdfast.idOf(alice, 'toomuch-3'))).toBeUndefined();
  });

  test('refuses what waited past its deadline and was never sent', async () => {
    const [alice, bob] = await holdfast.pair('waited');
    Object.assign(holdfast.lane, { deadlineMs: 600, groupsInFlight: 1 });
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '1.00' };
    const answers = await withoutWorkers(async () => {
      const first = holdfast.transfer(alice, 'waited-0', fields);
      await pause(100);
      return Promise.all([first, holdfast.transfer(alice, 'waited-1', fields)]);
    });
    expect(answers).toMatchObject([{ status: 202 }, { status: 503, body: { code: 'overloaded' } }]);
    await holdfast.becomes(alice, answers[0].body.id, 'completed');
    expect(await holdfast.row(holdfast.idOf(alice, 'waited-1'))).toBeUndefined();
  });
});
