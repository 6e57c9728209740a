import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NewFault } from '../../bank/simulator/faults';
import { cancelSignal, retrySignal, searchAttributes } from '../../contracts/transfers';
import type { TransactionFacts } from '../../ledger/commands';
import type { TestUser } from '../support/api';
import { TestBank } from '../support/bank';
import { eventually } from '../support/eventually';
import { TestHoldfast } from '../support/holdfast';
import { Payments, referenceOf, type AtBank } from '../support/payment-runs';
import { currentDetails } from '../support/stuck';

let bank: TestBank;
let holdfast: TestHoldfast;
let payments: Payments;
let staff: [TestUser, TestUser];
let user: TestUser;

beforeAll(async () => {
  bank = await TestBank.start({ settleAfterMs: 100 });
  holdfast = await TestHoldfast.start({
    rail: bank.hastyRail(400),
    payments: { attentionAfterMs: 800, slowBeatMs: 1_000, pollFirstMs: 150, pollMaxMs: 300 },
  });
  payments = new Payments(holdfast);
  staff = [await holdfast.api.newUser('olivia'), await holdfast.api.newUser('omar')];
});
afterAll(async () => {
  await holdfast.close();
  await bank.close();
});
let users = 0;
beforeEach(async () => {
  await bank.control.setFaults([]);
  [user] = await holdfast.pair(`user${users++}`, '10.00');
});
afterEach(async () => {
  await payments.areWhole();
});

const faults = (...list: NewFault[]) => bank.control.setFaults(list);
const BOTH: AtBank[] = ['deposit', 'withdrawal'];
/** The customer's balance once 3.00 have come or gone. */
const after = (type: AtBank) => (type === 'deposit' ? '13.00' : '7.00');
const timeline = async (facts: TransactionFacts) => (await payments.statusOf(facts)).timeline.map(({ what }) => what);

async function unreachable(type: AtBank): Promise<TransactionFacts> {
  await faults({ name: 'outage' });
  const facts = await payments.begin(type, user, 300n);
  await payments.becomes(facts, 'needs_attention', 'bank_not_answering');
  return facts;
}

async function accepted(type: AtBank, settings: { settleWithinMs?: number } = {}): Promise<TransactionFacts> {
  await faults({ name: 'never_settles' });
  const facts = await payments.under(settings, () => payments.begin(type, user, 300n));
  await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'accepted' }));
  return facts;
}

const unsettled = async (type: AtBank) => {
  const facts = await accepted(type, { settleWithinMs: 1 });
  await payments.becomes(facts, 'needs_attention', 'not_settled');
  return facts;
};

async function mismatched(type: AtBank): Promise<TransactionFacts> {
  await faults({ name: 'amount_mismatch' });
  const facts = await payments.begin(type, user, 300n);
  await payments.becomes(facts, 'needs_attention', 'amount_mismatch');
  return facts;
}

const settledFact = (facts: TransactionFacts, amountMinor = facts.amountMinor, currency = 'SGD') =>
  ({ reference: referenceOf(facts), state: 'settled', amountMinor, currency, settlementId: `st_${facts.id}` }) as const;

/** How the house's accounts changed. */
async function changes(work: () => Promise<unknown>) {
  const look = () => Promise.all([payments.house('@bank'), payments.house('@suspense')]);
  const before = await look();
  await work();
  const now = await look();
  return { bank: now[0] - before[0], suspense: now[1] - before[1] };
}

describe.each(BOTH)('a %s', (type) => {
  test('tries again at once when it is told `retry`', async () => {
    const facts = await unreachable(type);
    expect(await payments.statusOf(facts)).toMatchObject({ status: 'needs_attention', reason: 'bank_not_answering' });
    await faults();
    await payments.handleOf(facts).signal(retrySignal);
    expect(await payments.ended(facts)).toMatchObject({ status: 'completed' });
    expect(await timeline(facts)).toContain('retry was asked for');
    expect(await holdfast.balance(user)).toBe(after(type));
  });

  test('that is told `retry` again and again gets its answer all the same', async () => {
    const facts = await unreachable(type);
    await faults({ name: 'slow', delayMs: 200 });
    let isOver = false;
    const ended = payments.ended(facts).finally(() => (isOver = true));
    // Quicker than the bank answers; the last may find it ended.
    for (const giveUpAt = Date.now() + 30_000; !isOver && Date.now() < giveUpAt; await sleep(50)) {
      await payments
        .handleOf(facts)
        .signal(retrySignal)
        .catch(() => {});
    }
    expect(isOver).toBe(true);
    expect(await ended).toMatchObject({ status: 'completed' });
  });

  test('that is told `cancel` while the bank is away waits until the bank has voided it', async () => {
    const facts = await unreachable(type);
    await payments.handleOf(facts).signal(cancelSignal);
    await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'voiding' }));
    expect(await holdfast.row(facts.id)).toMatchObject({ status: 'needs_attention' });
    await faults();
    await payments.handleOf(facts).signal(retrySignal);
    expect(await payments.ended(facts)).toMatchObject({ status: 'cancelled', reason: 'cancelled_on_request' });
    expect(await bank.rail.lookUp(referenceOf(facts))).toMatchObject({ state: 'voided' });
    expect(await holdfast.balance(user)).toBe('10.00');
  });

  test('that the bank has, and has not settled, can be cancelled', async () => {
    const facts = await accepted(type);
    expect(await payments.updateCancel(facts)).toBe('cancelled');
    expect(await payments.ended(facts)).toMatchObject({ status: 'cancelled' });
    expect(await bank.rail.lookUp(referenceOf(facts))).toMatchObject({ state: 'voided' });
    expect(await holdfast.balance(user)).toBe('10.00');
  });

  test('that has settled can’t be cancelled, though nobody had heard of it yet', async () => {
    const facts = await payments.under({ pollFirstMs: 600_000 }, () => payments.begin(type, user, 300n));
    await eventually(async () =>
      expect(await bank.rail.lookUp(referenceOf(facts))).toMatchObject({ state: 'settled' }),
    );
    expect(await payments.request(facts)).toMatchObject({ state: 'accepted' });
    expect(await payments.updateCancel(facts)).toBe('too_late');
    expect(await payments.ended(facts)).toMatchObject({ status: 'completed' });
    expect(await timeline(facts)).toContain('the cancel came too late: the bank says settled');
    expect(await holdfast.balance(user)).toBe(after(type));
  });

  test('that has ended says truly how, to a cancel that comes then', async () => {
    const completed = await payments.begin(type, user, 300n);
    await payments.ended(completed);
    expect(await payments.cancel(completed)).toBe('too_late');
    const cancelled = await accepted(type);
    expect([await payments.cancel(cancelled), await payments.cancel(cancelled)]).toEqual(['cancelled', 'cancelled']);
  });

  test('answers each of several cancels, and the Web UI’s cancel takes no answer away', async () => {
    const facts = await unreachable(type);
    const first = payments.updateCancel(facts);
    await payments.handleOf(facts).cancel();
    const second = payments.updateCancel(facts);
    await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'voiding' }));
    await faults();
    await payments.handleOf(facts).signal(retrySignal);
    expect(await Promise.all([first, second])).toEqual(['cancelled', 'cancelled']);
  });

  test('that the bank has refused for now can be cancelled: the next attempt is forbidden', async () => {
    const facts = await payments.begin(type, user, 300n, { start: false });
    const [reference, step] = [referenceOf(facts), referenceOf(facts).split(':')[1]!];
    const { db } = holdfast.shards.shard(0);
    await db
      .insertInto('bank_requests')
      .values({ reference, transaction_id: facts.id, step, attempt: 1, state: 'refused', reason: 'cut_off' })
      .execute();
    await bank.rail.void(reference);
    expect(await payments.cancel(facts)).toBe('cancelled');
    expect(await payments.ended(facts)).toMatchObject({ status: 'cancelled', reason: 'cancelled_on_request' });
    expect(await payments.request(facts)).toMatchObject({ attempt: 2, state: 'voided' });
  });

  test('goes on at the bank’s own word, however seldom it asks', async () => {
    await faults({ name: 'never_settles' });
    const facts = await payments.under({ pollFirstMs: 600_000 }, () => payments.begin(type, user, 300n));
    await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'accepted' }));
    await payments.news(facts); // of nothing
    expect(await payments.statusOf(facts)).toMatchObject({ status: 'pending' });
    await payments.tell(settledFact(facts));
    expect(await payments.ended(facts)).toMatchObject({ status: 'completed' });
    expect(await holdfast.balance(user)).toBe(after(type));
  });

  test('tells what contradicts its end to people, and changes nothing', async () => {
    const facts = await payments.begin(type, user, 300n);
    await payments.ended(facts);
    const { settlement_id } = (await payments.request(facts))!;
    const same = await payments.tell({ ...settledFact(facts), settlementId: settlement_id! });
    const second = await payments.tell({ ...settledFact(facts), settlementId: 'st_second' });
    await eventually(async () => {
      expect(await payments.inboxItem(same)).toEqual({ status: 'done', reason: null });
      expect(await payments.inboxItem(second)).toEqual({ status: 'needs_attention', reason: 'double_settlement' });
    });
    expect(await holdfast.balance(user)).toBe(after(type));
  });
});

/** What waits for a second person: staff's adjustment of 3.00, or a customer's withdrawal of as much. */
describe.each(['withdrawal', 'adjustment'] as const)('a %s that needs approval', (type) => {
  const begin = () =>
    type === 'withdrawal'
      ? payments.begin('withdrawal', user, 300n, { status: 'awaiting_approval' })
      : payments.adjust(staff[0], user, 300n);
  const [untouched, done] = ['10.00', type === 'withdrawal' ? '7.00' : '13.00'];
  const ends = async (facts: TransactionFacts, status: 'completed' | 'cancelled', reason?: string) => {
    expect(await payments.ended(facts)).toMatchObject({ status, ...(reason && { reason }) });
    expect(await holdfast.row(facts.id)).toMatchObject({ status, reason: reason ?? null });
    expect(await holdfast.balance(user)).toBe(status === 'completed' ? done : untouched);
    if (status === 'cancelled') expect(await payments.request(facts)).toBeUndefined();
  };
  const isWaiting = (facts: TransactionFacts) =>
    eventually(async () => expect(await payments.statusOf(facts)).toMatchObject({ status: 'awaiting_approval' }));

  test('goes on once a second person has approved it, and not before', async () => {
    const facts = await begin();
    await isWaiting(facts);
    await payments.news(facts);
    await payments.handleOf(facts).signal(retrySignal);
    const asker = type === 'withdrawal' ? user : staff[0];
    expect(await payments.decide(facts, asker, 'approve')).toMatchObject({ kind: 'refused', reason: 'own_request' });
    await isWaiting(facts);
    expect(await payments.request(facts)).toBeUndefined();
    expect(await payments.decide(facts, staff[1], 'approve')).toMatchObject({ kind: 'decision', status: 'pending' });
    await ends(facts, 'completed');
  });

  test('ends when it is rejected, and can’t be approved any more', async () => {
    const facts = await begin();
    await isWaiting(facts);
    expect(await payments.decide(facts, staff[1], 'reject')).toMatchObject({ status: 'cancelled' });
    await ends(facts, 'cancelled', 'approval_rejected');
    expect(await payments.decide(facts, staff[1], 'approve')).toMatchObject({ reason: 'not_awaiting_approval' });
  });

  test('ends when nobody answers in time', async () => {
    const facts = await payments.under({ approvalWithinMs: 200 }, begin);
    await ends(facts, 'cancelled', 'approval_expired');
  });

  test('is waited for as long from when it was asked for, whatever became of its workflow meanwhile', async () => {
    const facts = await payments.under({ approvalWithinMs: 60_000 }, begin);
    await isWaiting(facts);
    await payments.handleOf(facts).terminate();
    const { created_at } = (await holdfast.row(facts.id))!;
    const approvalWithinMs = Date.now() - created_at.getTime();
    await payments.under({ approvalWithinMs }, () => payments.news(facts));
    await ends(facts, 'cancelled', 'approval_expired');
  });

  test('can be cancelled by a signal, and by an update that says so', async () => {
    const facts = await begin();
    await isWaiting(facts);
    await payments.handleOf(facts).signal(cancelSignal);
    await ends(facts, 'cancelled', 'cancelled_on_request');
    const other = await begin();
    expect(await payments.updateCancel(other)).toBe('cancelled');
    await ends(other, 'cancelled', 'cancelled_on_request');
  });

  test('ends as the approver was told, however close the approval comes to its expiry', async () => {
    await holdfast.api.fund(user.username, 'SGD', '100.00');
    const race = async () => {
      const facts = await begin();
      await new Promise((resume) => setTimeout(resume, 200 + Math.random() * 300));
      return { facts, answer: await payments.decide(facts, staff[1], 'approve') };
    };
    const races = await payments.under({ approvalWithinMs: 300 }, () => Promise.all(Array.from({ length: 12 }, race)));
    for (const { facts, answer } of races) {
      const wanted =
        answer.kind === 'decision' ? { status: 'completed' } : { status: 'cancelled', reason: 'approval_expired' };
      expect(await payments.ended(facts)).toMatchObject(wanted);
      expect(await holdfast.entriesOf(facts.id)).toBe(answer.kind === 'decision' ? 2 : 0);
    }
  });
});

describe.each(BOTH)('two people resolve a %s', (type) => {
  const sign = type === 'deposit' ? -1n : 1n;

  test.each(['completed', 'cancelled'] as const)('of which another amount moved as %s', async (outcome) => {
    const facts = await mismatched(type);
    expect(await payments.updateCancel(facts)).toBe('too_late');
    const changed = await changes(async () => {
      expect(await payments.decide(facts, user, 'resolve', outcome)).toMatchObject({ reason: 'own_request' });
      expect(await payments.decide(facts, staff[0], 'resolve', outcome)).toMatchObject({ state: 'proposed' });
      const again = await payments.decide(facts, staff[0], 'resolve', outcome);
      expect(again).toMatchObject({ kind: 'refused', reason: 'second_person_needed' });
      expect(await holdfast.entriesOf(facts.id)).toBe(0);
      await payments.decide(facts, staff[1], 'resolve', outcome);
      expect(await payments.ended(facts)).toMatchObject({ status: outcome });
    });
    // 3.00 were asked for and 2.99 moved: the house's bank account mirrors the bank to the cent.
    if (outcome === 'completed') expect(changed).toEqual({ bank: sign * 299n, suspense: sign });
    else expect(changed).toEqual({ bank: sign * 299n, suspense: sign * -299n });
    expect(await holdfast.balance(user)).toBe(outcome === 'completed' ? after(type) : '10.00');
  });

  test.each(['completed', 'cancelled'] as const)('of which another currency moved as %s', async (outcome) => {
    const facts = await accepted(type);
    await payments.tell(settledFact(facts, 300n, 'USD'));
    await payments.becomes(facts, 'needs_attention', 'currency_mismatch');
    const changed = await changes(async () => {
      await payments.resolve(facts, staff, outcome);
      expect(await payments.ended(facts)).toMatchObject({ status: outcome });
    });
    expect(changed).toEqual({ bank: 0n, suspense: outcome === 'completed' ? sign * 300n : 0n });
    expect(await holdfast.balance(user)).toBe(outcome === 'completed' ? after(type) : '10.00');
  });

  test.each(['completed', 'cancelled'] as const)('that the bank has not settled as %s', async (outcome) => {
    const facts = await unsettled(type);
    await payments.resolve(facts, staff, outcome);
    expect(await payments.ended(facts)).toMatchObject({ status: outcome });
    expect(await holdfast.balance(user)).toBe(outcome === 'completed' ? after(type) : '10.00');
    if (outcome === 'cancelled') return;
    const returned = { ...settledFact(facts), state: 'refused', reason: 'limit' } as const;
    const item = await payments.tell(returned);
    await eventually(async () =>
      expect(await payments.inboxItem(item)).toEqual({ status: 'needs_attention', reason: 'contradicts_resolution' }),
    );
  });

  test.each(['completed', 'cancelled'] as const)('of which the bank says nothing at all as %s', async (outcome) => {
    const facts = await unreachable(type);
    await payments.resolve(facts, staff, outcome);
    expect(await payments.ended(facts)).toMatchObject({ status: outcome });
    expect(await holdfast.balance(user)).toBe(outcome === 'completed' ? after(type) : '10.00');
  });

  test('but the bank’s word counts, when it comes between the two', async () => {
    const facts = await unsettled(type);
    await payments.decide(facts, staff[0], 'resolve', 'cancelled');
    const { db, poster } = holdfast.shards.shard(0);
    await db
      .updateTable('bank_requests')
      .set({ state: 'settled', amount: 300n, currency: 'SGD', settlement_id: 'st_heard' })
      .where('transaction_id', '=', facts.id)
      .execute();
    // Nobody has taken stock since.
    const id = `de_0_${randomUUID()}`;
    const decision = { decision: 'resolve', outcome: 'cancelled', actorId: staff[1].userId, role: 'ops' } as const;
    await poster.post([{ kind: 'decision', id, transactionId: facts.id, ...decision }]);
    await payments.news(facts);
    expect(await payments.ended(facts)).toMatchObject({ status: 'completed' });
    expect(await holdfast.balance(user)).toBe(after(type));
  });

  test('and a settlement that comes after all is put before people, not booked', async () => {
    const facts = await unsettled(type);
    await payments.resolve(facts, staff, 'cancelled');
    await payments.ended(facts);
    const item = await payments.tell(settledFact(facts));
    await eventually(async () =>
      expect(await payments.inboxItem(item)).toEqual({ status: 'needs_attention', reason: 'contradicts_resolution' }),
    );
    expect(await holdfast.balance(user)).toBe('10.00');
  });
});

test('a payout of another amount that two people took as not done goes back to @suspense when it comes back', async () => {
  const houses = () => Promise.all([payments.house('@bank'), payments.house('@suspense')]);
  const before = await houses();
  const facts = await mismatched('withdrawal');
  await payments.resolve(facts, staff, 'cancelled');
  await payments.ended(facts);
  expect(await houses()).not.toEqual(before);
  const movement = { amountMinor: 299n, currency: 'SGD', settlementId: 'st_return' };
  const returned = { reference: referenceOf(facts), state: 'returned', ...movement } as const;
  for (const item of [await payments.tell(returned), await payments.tell(returned)]) {
    await eventually(async () => expect(await payments.inboxItem(item)).toMatchObject({ status: 'done' }));
  }
  await eventually(async () => expect(await houses()).toEqual(before));
  expect(await holdfast.balance(user)).toBe('10.00');
});

describe('what people see of a payment in the Web UI', () => {
  const listed = async (query: string) => {
    const found: string[] = [];
    for await (const each of holdfast.outside.client.workflow.list({ query })) found.push(each.workflowId);
    return found;
  };
  /** Found by each of its attributes. */
  const isListed = ({ id, type }: TransactionFacts, status: string, reason?: string) =>
    eventually(async () => {
      const query = [
        `${searchAttributes.transactionId} = "${id}"`,
        `${searchAttributes.type} = "${type}"`,
        `${searchAttributes.currency} = "SGD"`,
        `${searchAttributes.status} = "${status}"`,
        `${searchAttributes.reason} ${reason === undefined ? 'is null' : `= "${reason}"`}`,
      ].join(' and ');
      expect(await listed(query)).toEqual([`${type}/${id}`]);
    });

  test('is found by its standing, at each stage', async () => {
    await faults({ name: 'never_settles' });
    const facts = await payments.under({ settleWithinMs: 500 }, () =>
      payments.begin('withdrawal', user, 300n, { status: 'awaiting_approval' }),
    );
    await isListed(facts, 'awaiting_approval');
    expect(await currentDetails(holdfast, `withdrawal/${facts.id}`)).toContain('A second person approves or rejects');
    await payments.decide(facts, staff[0], 'approve');
    await isListed(facts, 'needs_attention', 'not_settled');
    expect(await currentDetails(holdfast, `withdrawal/${facts.id}`)).toMatch(/\*\*Last error:\*\*.*\n\n.*`retry`/);
    await payments.tell(settledFact(facts));
    await isListed(facts, 'completed');
  });

  test('is found by why it ended', async () => {
    await faults({ name: 'rejected', reason: 'limit' });
    const refused = await payments.begin('deposit', user, 300n);
    await isListed(refused, 'rejected', 'bank_limit');
    const cancelled = await payments.adjust(staff[0], user, 300n);
    await payments.cancel(cancelled);
    await isListed(cancelled, 'cancelled', 'cancelled_on_request');
  });

  test('goes on by itself after its workflow was lost, and says so', async () => {
    const facts = await unreachable('withdrawal');
    await isListed(facts, 'needs_attention', 'bank_not_answering');
    await payments.handleOf(facts).terminate();
    await holdfast.owners.start(payments.started(facts, 'needs_attention'));
    await isListed(facts, 'needs_attention', 'bank_not_answering');
    await faults({ name: 'never_settles' });
    await payments.handleOf(facts).signal(retrySignal);
    await isListed(facts, 'pending');
    expect(await holdfast.row(facts.id)).toMatchObject({ status: 'pending', reason: null });
    await payments.cancel(facts);
  });
});
