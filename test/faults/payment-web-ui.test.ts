import { randomUUID } from 'node:crypto';
import type { NewFault } from '../../bank/simulator/faults';
import { cancelSignal, retrySignal, TASK_QUEUE, workflowTypes, type SweptShard } from '../../contracts/transfers';
import type { TransactionStatus } from '../../contracts/statuses';
import type { TransactionFacts } from '../../ledger/commands';
import type { TestUser } from '../support/api';
import { TestBank } from '../support/bank';
import { eventually } from '../support/eventually';
import { TestHoldfast } from '../support/holdfast';
import { Payments, type AtBank } from '../support/payment-runs';
import { resetToStart } from '../support/reset';

let bank: TestBank;
let holdfast: TestHoldfast;
let payments: Payments;
let staff: [TestUser, TestUser];
let user: TestUser;

beforeAll(async () => {
  bank = await TestBank.start();
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

const sweep = (): Promise<SweptShard[]> =>
  holdfast.outside.client.workflow.execute(workflowTypes.sweep, {
    workflowId: `sweep-${randomUUID()}`,
    taskQueue: TASK_QUEUE,
    args: [holdfast.sweepSettings().input],
  });
const faults = (...list: NewFault[]) => bank.control.setFaults(list);

interface Step {
  name: string;
  /** Brings a payment to this step and keeps it there. */
  reach(type: AtBank): Promise<TransactionFacts>;
  /** Lets it go on, to its end. */
  letGo(facts: TransactionFacts): Promise<unknown>;
  /** What it ends as when it is cancelled here. */
  cancelled: TransactionStatus;
  /** What it ends as when nobody cancels it. */
  left: TransactionStatus;
}

const STEPS: Step[] = [
  {
    name: 'awaiting approval',
    async reach(type) {
      const facts = await payments.begin(type, user, 300n, { status: 'awaiting_approval' });
      await eventually(async () =>
        expect(await payments.statusOf(facts)).toMatchObject({ status: 'awaiting_approval' }),
      );
      return facts;
    },
    letGo: (facts) => payments.decide(facts, staff[0], 'approve'),
    cancelled: 'cancelled',
    left: 'completed',
  },
  {
    name: 'sending',
    async reach(type) {
      await faults({ name: 'outage' });
      const facts = await payments.under({ attentionAfterMs: 600_000 }, () => payments.begin(type, user, 300n));
      await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'sending' }));
      return facts;
    },
    letGo: () => faults(),
    cancelled: 'cancelled',
    left: 'completed',
  },
  {
    name: 'accepted',
    async reach(type) {
      await faults({ name: 'never_settles' });
      const facts = await payments.begin(type, user, 300n);
      await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'accepted' }));
      return facts;
    },
    letGo: (facts) => settle(facts),
    cancelled: 'cancelled',
    left: 'completed',
  },
  {
    name: 'voiding',
    async reach(type) {
      await faults({ name: 'outage' });
      const facts = await payments.under({ attentionAfterMs: 600_000 }, () => payments.begin(type, user, 300n));
      await payments.handleOf(facts).signal(cancelSignal);
      await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'voiding' }));
      return facts;
    },
    letGo: () => faults(),
    cancelled: 'cancelled',
    left: 'cancelled',
  },
  {
    name: 'attention, with the bank away',
    async reach(type) {
      await faults({ name: 'outage' });
      const facts = await payments.begin(type, user, 300n);
      await payments.becomes(facts, 'needs_attention', 'bank_not_answering');
      return facts;
    },
    async letGo(facts) {
      await faults();
      await payments.handleOf(facts).signal(retrySignal);
    },
    cancelled: 'cancelled',
    left: 'completed',
  },
  {
    name: 'attention, with another amount moved',
    async reach(type) {
      await faults({ name: 'amount_mismatch' });
      const facts = await payments.begin(type, user, 300n);
      await payments.becomes(facts, 'needs_attention', 'amount_mismatch');
      return facts;
    },
    letGo: (facts) => payments.resolve(facts, staff, 'completed'),
    // Money has moved: that can't be cancelled.
    cancelled: 'completed',
    left: 'completed',
  },
];

/** The bank's word, as it would come by webhook. */
async function settle(facts: TransactionFacts): Promise<void> {
  const { reference } = (await payments.request(facts))!;
  const fact = { reference, state: 'settled', amountMinor: 300n, currency: 'SGD', settlementId: `st_${facts.id}` };
  await payments.tell({ ...fact, state: 'settled' });
}

async function hasEnded(facts: TransactionFacts, status: TransactionStatus): Promise<void> {
  await payments.becomes(facts, status);
  expect(await payments.ended(facts)).toMatchObject({ status });
  const moved = facts.type === 'deposit' ? '13.00' : '7.00';
  expect(await holdfast.balance(user)).toBe(status === 'completed' ? moved : '10.00');
  expect(await sweep()).toMatchObject([{ looked: 0, restarted: 0 }]);
  await payments.areWhole();
}

const cases = STEPS.flatMap((step) => (['deposit', 'withdrawal'] as const).map((type) => ({ ...step, type })));

describe.each(cases)('a $type at this step: $name', ({ type, reach, letGo, cancelled, left }) => {
  test('takes the Web UI’s cancel for `cancel`', async () => {
    const facts = await reach(type);
    await payments.handleOf(facts).cancel();
    const cancelIsHeard = async () => {
      const { timeline } = await payments.statusOf(facts);
      expect(timeline.map(({ what }) => what)).toContain('cancel was asked for');
    };
    await eventually(cancelIsHeard);
    const isOpen = (await holdfast.row(facts.id))!.completed_at === null;
    if (isOpen) await letGo(facts);
    await hasEnded(facts, cancelled);
  });

  test('survives the Web UI’s terminate: the sweep starts it again', async () => {
    const facts = await reach(type);
    await payments.handleOf(facts).terminate();
    await eventually(async () => expect((await payments.handleOf(facts).describe()).status.name).toBe('TERMINATED'));
    expect(await sweep()).toMatchObject([{ looked: 1, restarted: 1 }]);
    await letGo(facts);
    await hasEnded(facts, left);
  });

  test('survives the Web UI’s reset, while it is there and after its end', async () => {
    const facts = await reach(type);
    await resetToStart(holdfast, payments.handleOf(facts).workflowId);
    await letGo(facts);
    await hasEnded(facts, left);
    await resetToStart(holdfast, payments.handleOf(facts).workflowId);
    await hasEnded(facts, left);
  });
});
