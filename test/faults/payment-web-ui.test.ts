import { randomUUID } from 'node:crypto';
import { cancelSignal, retrySignal, TASK_QUEUE, workflowTypes, type SweptShard } from '../../contracts/transfers';
import type { TransactionStatus } from '../../contracts/statuses';
import type { TransactionFacts } from '../../ledger/commands';
import type { TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import type { TestHoldfast } from '../support/holdfast';
import type { AtBank, Payments } from '../support/payment-runs';
import { after, PaymentScene, settledFact } from '../support/payment-scene';
import { resetToStart } from '../support/reset';

let scene: PaymentScene;
let holdfast: TestHoldfast;
let payments: Payments;
let staff: [TestUser, TestUser];

beforeAll(async () => {
  scene = await PaymentScene.open();
  ({ holdfast, payments, staff } = scene);
});
afterAll(() => scene.close());
beforeEach(() => scene.nextTest());

const sweep = (): Promise<SweptShard[]> =>
  holdfast.outside.client.workflow.execute(workflowTypes.sweep, {
    workflowId: `sweep-${randomUUID()}`,
    taskQueue: TASK_QUEUE,
    args: [holdfast.sweepSettings().input],
  });

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
      const facts = await payments.begin(type, scene.user, 300n, { status: 'awaiting_approval' });
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
      await scene.faults({ name: 'outage' });
      const facts = await payments.under({ attentionAfterMs: 600_000 }, () => payments.begin(type, scene.user, 300n));
      await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'sending' }));
      return facts;
    },
    letGo: () => scene.faults(),
    cancelled: 'cancelled',
    left: 'completed',
  },
  {
    name: 'accepted',
    reach: (type) => scene.accepted(type),
    letGo: (facts) => payments.tell(settledFact(facts)),
    cancelled: 'cancelled',
    left: 'completed',
  },
  {
    name: 'voiding',
    async reach(type) {
      await scene.faults({ name: 'outage' });
      const facts = await payments.under({ attentionAfterMs: 600_000 }, () => payments.begin(type, scene.user, 300n));
      await payments.handleOf(facts).signal(cancelSignal);
      await eventually(async () => expect(await payments.request(facts)).toMatchObject({ state: 'voiding' }));
      return facts;
    },
    letGo: () => scene.faults(),
    cancelled: 'cancelled',
    left: 'cancelled',
  },
  {
    name: 'attention, with the bank away',
    reach: (type) => scene.unreachable(type),
    async letGo(facts) {
      await scene.faults();
      await payments.handleOf(facts).signal(retrySignal);
    },
    cancelled: 'cancelled',
    left: 'completed',
  },
  {
    name: 'attention, with another amount moved',
    reach: (type) => scene.mismatched(type),
    letGo: (facts) => payments.resolve(facts, staff, 'completed'),
    // Money has moved: that can't be cancelled.
    cancelled: 'completed',
    left: 'completed',
  },
];

async function hasEnded(facts: TransactionFacts, status: TransactionStatus): Promise<void> {
  await payments.becomes(facts, status);
  expect(await payments.ended(facts)).toMatchObject({ status });
  expect(await holdfast.balance(scene.user)).toBe(status === 'completed' ? after(facts.type) : '10.00');
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
