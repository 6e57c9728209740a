import pg from 'pg';
import { anOrder, BANK_SECRET, Receiver, TestBank } from '../support/bank';
import { eventually } from '../support/eventually';

let bank: TestBank;
let receiver: Receiver;
beforeEach(async () => {
  receiver = await Receiver.start();
  const webhook = { url: receiver.url, secret: BANK_SECRET, firstRetryMs: 20, longestRetryMs: 200 };
  bank = await TestBank.start({ webhook });
});
afterEach(async () => {
  await bank.close();
  await receiver.close();
});

const friend = { virtualAccount: '8800001', amountMinor: 500n, currency: 'SGD', payer: 'A Friend' };

test('a settlement is told of by a signed webhook, with what the look-up says', async () => {
  const order = anOrder();
  const fact = await bank.rail.collect(order);
  expect(await receiver.told(order.reference, 'settled')).toEqual(fact);
  await eventually(async () => expect(await bank.control.eventsWaiting()).toBe(0));
});

test('who pays into a virtual account is told of, and our account has grown', async () => {
  const credit = await bank.control.credit(friend);
  await eventually(async () => expect(receiver.credits).toEqual([credit]));
  expect(credit).toMatchObject(friend);
  const line = { kind: 'credit', settlementId: credit.creditId, amountMinor: 500n };
  expect(await bank.control.statement('SGD')).toMatchObject([line]);
  expect((await bank.control.statement('SGD'))[0]!.reference).toBeUndefined();
});

test('what is not taken is told again until it is, and each event once', async () => {
  receiver.answering = 'fail';
  const orders = Array.from({ length: 5 }, () => anOrder());
  await Promise.all(orders.map((order) => bank.rail.payOut(order)));
  expect(await bank.control.eventsWaiting()).toBe(5);
  receiver.answering = 'take';
  for (const { reference } of orders) await receiver.told(reference, 'settled');
  await eventually(async () => expect(await bank.control.eventsWaiting()).toBe(0));
  expect(receiver.events).toHaveLength(5);
});

test('many events wait for each other no longer than a delivery, and travel together, up to fifty', async () => {
  receiver.answering = 'fail';
  await Promise.all(Array.from({ length: 120 }, () => bank.rail.payOut(anOrder())));
  receiver.answering = 'take';
  await eventually(async () => expect(receiver.events).toHaveLength(120));
  expect(receiver.deliveries.length).toBeLessThan(120);
  expect(Math.max(...receiver.deliveries.map((events) => events.length))).toBeLessThanOrEqual(50);
});

test('a bank that is stopped and started again knows what it knew, and tells what it had not told', async () => {
  receiver.answering = 'fail';
  await bank.control.setFaults([{ name: 'never_settles', times: 7 }], 'a seed');
  const [stuck, paid] = [anOrder(), anOrder()];
  await bank.rail.payOut(stuck);
  await bank.control.setFaults([{ name: 'slow', probability: 0 }], 'a seed');
  const fact = await bank.rail.payOut(paid);
  const before = await Promise.all([bank.control.requests(), bank.control.balances(), bank.control.faults()]);

  await bank.stop();
  await expect(bank.rail.lookUp(paid.reference)).rejects.toMatchObject({ name: 'BankError' });
  receiver.answering = 'take';
  await bank.startAgain();

  expect(await Promise.all([bank.control.requests(), bank.control.balances(), bank.control.faults()])).toEqual(before);
  expect(await receiver.told(paid.reference, 'settled')).toEqual(fact);
  expect((await bank.rail.lookUp(stuck.reference)).state).toBe('accepted');
  expect(await bank.rail.payOut(paid)).toEqual(fact);
});

test('what was accepted before a stop settles after the start', async () => {
  await bank.stop();
  await bank.startAgain({ settleAfterMs: 500 });
  const order = anOrder();
  expect((await bank.rail.collect(order)).state).toBe('accepted');
  await bank.stop();
  await bank.startAgain();
  await receiver.told(order.reference, 'settled');
  expect(await bank.control.statement('SGD')).toHaveLength(1);
});

test('a broken database connection is got over: what was due is settled and told', async () => {
  await bank.stop();
  await bank.startAgain({ settleAfterMs: 300 });
  const order = anOrder();
  await bank.rail.payOut(order);
  const client = new pg.Client({ connectionString: bank.databaseUrl });
  await client.connect();
  await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  await client.end();
  await receiver.told(order.reference, 'settled');
});

test('two banks on one database move the money once', async () => {
  const twin = await TestBank.beside(bank);
  try {
    const orders = Array.from({ length: 40 }, () => anOrder());
    const facts = await Promise.all(orders.flatMap((order) => [bank.rail.payOut(order), twin.rail.payOut(order)]));
    // One may still be settling what the other is asked about.
    for (const { state } of facts) expect(['accepted', 'settled']).toContain(state);
    await eventually(async () => expect(await bank.control.statement('SGD')).toHaveLength(40));
  } finally {
    await twin.stop();
  }
});
