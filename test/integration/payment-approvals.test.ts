import { cancelSignal, retrySignal, searchAttributes } from '../../contracts/transfers';
import type { TransactionFacts } from '../../ledger/commands';
import type { TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import type { TestHoldfast } from '../support/holdfast';
import type { Payments } from '../support/payment-runs';
import { PaymentScene, settledFact } from '../support/payment-scene';
import { currentDetails } from '../support/stuck';

let scene: PaymentScene;
let holdfast: TestHoldfast;
let payments: Payments;
let staff: [TestUser, TestUser];

beforeAll(async () => {
  scene = await PaymentScene.open({ bank: { settleAfterMs: 100 } });
  ({ holdfast, payments, staff } = scene);
});
afterAll(() => scene.close());
beforeEach(() => scene.nextTest());
afterEach(() => payments.areWhole());

/** What waits for a second person: staff's adjustment of 3.00, or a customer's withdrawal of as much. */
describe.each(['withdrawal', 'adjustment'] as const)('a %s that needs approval', (type) => {
  const begin = () =>
    type === 'withdrawal'
      ? payments.begin('withdrawal', scene.user, 300n, { status: 'awaiting_approval' })
      : payments.adjust(staff[0], scene.user, 300n);
  const [untouched, done] = ['10.00', type === 'withdrawal' ? '7.00' : '13.00'];
  const ends = async (facts: TransactionFacts, status: 'completed' | 'cancelled', reason?: string) => {
    expect(await payments.ended(facts)).toMatchObject({ status, ...(reason && { reason }) });
    expect(await holdfast.row(facts.id)).toMatchObject({ status, reason: reason ?? null });
    expect(await holdfast.balance(scene.user)).toBe(status === 'completed' ? done : untouched);
    if (status === 'cancelled') expect(await payments.request(facts)).toBeUndefined();
  };
  const isWaiting = (facts: TransactionFacts) =>
    eventually(async () => expect(await payments.statusOf(facts)).toMatchObject({ status: 'awaiting_approval' }));

  test('goes on once a second person has approved it, and not before', async () => {
    const facts = await begin();
    await isWaiting(facts);
    await payments.news(facts);
    await payments.handleOf(facts).signal(retrySignal);
    const asker = type === 'withdrawal' ? scene.user : staff[0];
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
    await holdfast.api.fund(scene.user.username, 'SGD', '100.00');
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
    await scene.faults({ name: 'never_settles' });
    const facts = await payments.under({ settleWithinMs: 500 }, () =>
      payments.begin('withdrawal', scene.user, 300n, { status: 'awaiting_approval' }),
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
    await scene.faults({ name: 'rejected', reason: 'limit' });
    const refused = await payments.begin('deposit', scene.user, 300n);
    await isListed(refused, 'rejected', 'bank_limit');
    const cancelled = await payments.adjust(staff[0], scene.user, 300n);
    await payments.cancel(cancelled);
    await isListed(cancelled, 'cancelled', 'cancelled_on_request');
  });

  test('goes on by itself after its workflow was lost, and says so', async () => {
    const facts = await scene.unreachable('withdrawal');
    await isListed(facts, 'needs_attention', 'bank_not_answering');
    await payments.handleOf(facts).terminate();
    await holdfast.owners.start(payments.started(facts, 'needs_attention'));
    await isListed(facts, 'needs_attention', 'bank_not_answering');
    await scene.faults({ name: 'never_settles' });
    await payments.handleOf(facts).signal(retrySignal);
    await isListed(facts, 'pending');
    expect(await holdfast.row(facts.id)).toMatchObject({ status: 'pending', reason: null });
    await payments.cancel(facts);
  });
});
