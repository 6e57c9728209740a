import { randomUUID } from 'node:crypto';
import type { NewFault } from '../../bank/simulator/faults';
import { systemAccountId } from '../../contracts/ids';
import { BANK_TASK_QUEUE, ownerWorkflowId, PAYMENT_TASK_QUEUE } from '../../contracts/payments';
import type { Command, TransactionFacts } from '../../ledger/commands';
import { verifyShard } from '../../ledger/verify';
import { writeEvent } from '../../payments/events';
import type { TestUser } from '../support/api';
import { TestBank } from '../support/bank';
import { eventually } from '../support/eventually';
import { TestHoldfast } from '../support/holdfast';

let bank: TestBank;
let holdfast: TestHoldfast;

beforeAll(async () => {
  bank = await TestBank.start();
  holdfast = await TestHoldfast.start({
    rail: bank.hastyRail(2_000),
    payments: { attentionAfterMs: 3_000, pollFirstMs: 200, pollMaxMs: 500 },
  });
});
afterAll(async () => {
  await holdfast.close();
  await bank.close();
});
beforeEach(() => bank.control.setFaults([]));

async function bankAccount(user: TestUser, number = '12345678'): Promise<string> {
  const id = `ba_0_${randomUUID().replaceAll('-', '')}`;
  const sealed = await holdfast.api.sealBankAccount(user, id, { holder: 'A Holder', number });
  await holdfast.shards
    .shard(0)
    .db.insertInto('bank_accounts')
    .values({
      id,
      owner_id: user.userId,
      bank_code: 'TESTSGSG',
      details_sealed: sealed,
      fingerprint: id,
      masked_number: '****5678',
      status: 'verified',
    })
    .execute();
  return id;
}

async function begin(type: 'deposit' | 'withdrawal', user: TestUser, amountMinor: bigint): Promise<TransactionFacts> {
  const account = (await holdfast.api.deps.names.resolve({ username: user.username, currency: 'SGD' }))!.accountId;
  const house = systemAccountId(0, '@bank', 'SGD');
  const key = randomUUID();
  const facts: TransactionFacts = {
    id: holdfast.idOf(user, key),
    type,
    actorId: user.userId,
    hash: key,
    from: type === 'deposit' ? house : account,
    to: type === 'deposit' ? account : house,
    amountMinor,
    currency: 'SGD',
    bankAccountId: await bankAccount(user),
  };
  const owner = ownerWorkflowId(type, facts.id);
  const command: Command =
    type === 'deposit' ? { kind: 'pend', facts, owner } : { kind: 'hold', facts, owner, step: 'hold' };
  const [outcome] = await holdfast.shards.shard(0).poster.post([command]);
  expect(outcome).toMatchObject({ kind: 'transaction', status: 'pending' });
  await holdfast.owners.start(started(facts), true);
  return facts;
}

const started = (facts: TransactionFacts) => ({
  id: facts.id,
  type: facts.type,
  status: 'pending' as const,
  currency: facts.currency,
  amountMinor: facts.amountMinor.toString(),
});

const ends = (user: TestUser, facts: TransactionFacts, status: string) =>
  holdfast.becomes(user, facts.id, status, 20_000);

const faults = (...list: NewFault[]) => bank.control.setFaults(list);

async function booksAreWhole() {
  expect((await verifyShard(holdfast.shards.shard(0).db)).findings).toEqual([]);
}

test('the first call to the bank comes with the first task; what it did not answer then takes its turn with others', async () => {
  const [user] = await holdfast.pair('turns', '10.00');
  await faults({ name: 'outage', times: 1 });
  const facts = await begin('deposit', user, 500n);
  await ends(user, facts, 'completed');
  const { events } = await holdfast.outside.client.workflow
    .getHandle(ownerWorkflowId('deposit', facts.id))
    .fetchHistory();
  expect(events![0]!.workflowExecutionStartedEventAttributes).toMatchObject({ eagerExecutionAccepted: true });
  const queues = events!.flatMap((event) => event.activityTaskScheduledEventAttributes?.taskQueue?.name ?? []);
  expect(queues).toEqual([PAYMENT_TASK_QUEUE, BANK_TASK_QUEUE]);
});

test('a deposit is collected at the bank and credited', async () => {
  const [user] = await holdfast.pair('deposit', '10.00');
  const facts = await begin('deposit', user, 500n);
  await ends(user, facts, 'completed');
  expect(await holdfast.balance(user)).toBe('15.00');
  await booksAreWhole();
});

test('a withdrawal is paid out and its hold captured', async () => {
  const [user] = await holdfast.pair('withdrawal', '10.00');
  const facts = await begin('withdrawal', user, 400n);
  await ends(user, facts, 'completed');
  expect(await holdfast.balance(user)).toBe('6.00');
  await booksAreWhole();
});

test('a payout that the bank refuses gives the held money back', async () => {
  const [user] = await holdfast.pair('refused', '10.00');
  await faults({ name: 'rejected', reason: 'account_closed' });
  const facts = await begin('withdrawal', user, 400n);
  expect(await ends(user, facts, 'rejected')).toMatchObject({ reason: 'bank_account_closed' });
  expect(await holdfast.balance(user)).toBe('10.00');
});

test.each(['deposit', 'withdrawal'] as const)(
  'a %s whose answer was lost is looked up, not sent twice',
  async (type) => {
    const [user] = await holdfast.pair(`lost_${type}`, '10.00');
    await faults({ name: 'answer_lost', times: 1 });
    const facts = await begin(type, user, 300n);
    await ends(user, facts, 'completed');
    expect(await holdfast.balance(user)).toBe(type === 'deposit' ? '13.00' : '7.00');
  },
);

test('while the bank is away a withdrawal needs attention, says so, and goes on at a retry', async () => {
  const [user] = await holdfast.pair('outage', '10.00');
  await faults({ name: 'outage' });
  const facts = await begin('withdrawal', user, 300n);
  expect(await ends(user, facts, 'needs_attention')).toMatchObject({ reason: 'bank_not_answering' });
  await faults();
  const handle = holdfast.outside.client.workflow.getHandle(ownerWorkflowId('withdrawal', facts.id));
  await handle.signal('retry');
  await ends(user, facts, 'completed');
  expect(await handle.query('status')).toMatchObject({ status: 'completed' });
});

test('a cancel while the bank is away is done once the bank has voided it', async () => {
  const [user] = await holdfast.pair('cancel', '10.00');
  await faults({ name: 'outage' });
  const facts = await begin('withdrawal', user, 300n);
  await ends(user, facts, 'needs_attention');
  const answer = holdfast.owners.cancel(started(facts));
  await faults();
  expect(await answer).toBe('cancelled');
  expect(await ends(user, facts, 'cancelled')).toMatchObject({ reason: 'cancelled_on_request' });
  expect(await holdfast.balance(user)).toBe('10.00');
});

test('a cancel after the payout is too late, and says so', async () => {
  const [user] = await holdfast.pair('late', '10.00');
  const facts = await begin('withdrawal', user, 300n);
  await ends(user, facts, 'completed');
  expect(await holdfast.owners.cancel(started(facts))).toBe('too_late');
});

test('a settlement of another amount waits for people, untouched', async () => {
  const [user] = await holdfast.pair('mismatch', '10.00');
  await faults({ name: 'amount_mismatch' });
  const facts = await begin('withdrawal', user, 300n);
  expect(await ends(user, facts, 'needs_attention')).toMatchObject({ reason: 'amount_mismatch' });
  expect(await holdfast.entriesOf(facts.id)).toBe(0);
});

test('a payout returned after it settled is undone by a linked reversal, once', async () => {
  const [user] = await holdfast.pair('returned', '10.00');
  await faults({ name: 'returned', delayMs: 700 });
  const facts = await begin('withdrawal', user, 300n);
  await ends(user, facts, 'completed');
  const reference = `${facts.id}:payout:1`;
  const { db } = holdfast.shards.shard(0);
  const told = await eventually(async () => {
    const fact = await bank.rail.lookUp(reference);
    expect(fact.state).toBe('returned');
    return fact;
  });
  await db
    .insertInto('bank_inbox')
    .values({
      event_id: randomUUID(),
      kind: 'fact',
      subject: reference,
      transaction_id: facts.id,
      event: await writeEvent({ id: 'e', at: '2026-01-01T00:00:00Z', kind: 'fact', fact: told }, (payer) =>
        Promise.resolve(payer),
      ),
      reason: null,
      done_at: null,
    })
    .execute();
  await holdfast.owners.news(started(facts));
  await holdfast.owners.news(started(facts));
  await eventually(async () => expect(await holdfast.balance(user)).toBe('10.00'));
  const reversals = await db.selectFrom('transactions').selectAll().where('linked_to', '=', facts.id).execute();
  expect(reversals).toMatchObject([{ type: 'reversal', status: 'completed' }]);
  await booksAreWhole();
});
