import type { NewFault } from '../../bank/simulator/faults';
import { anOrder, BANK_SECRET, Receiver, TestBank } from '../support/bank';
import { eventually } from '../support/eventually';

let bank: TestBank;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await Receiver.start();
  bank = await TestBank.start({
    webhook: { url: receiver.url, secret: BANK_SECRET, firstRetryMs: 20 },
  });
});
afterEach(() => bank.control.setFaults([]));
afterAll(async () => {
  await bank.close();
  await receiver.close();
});

async function linesOf(reference: string) {
  return (await bank.control.statement('SGD')).filter((line) => line.reference === reference);
}

test('outage: a call is turned away with nothing done, and may be made again', async () => {
  await bank.control.setFaults([{ name: 'outage', times: 1 }]);
  const order = anOrder();
  await expect(bank.rail.payOut(order)).rejects.toMatchObject({ kind: 'later', code: 'unavailable' });
  expect((await bank.rail.lookUp(order.reference)).state).toBe('unknown');
  expect((await bank.rail.payOut(order)).state).toBe('settled');
});

test('outage by breaking off: whether something was done is uncertain', async () => {
  await bank.control.setFaults([{ name: 'outage', times: 1, mode: 'destroy' }]);
  const order = anOrder();
  await expect(bank.rail.collect(order)).rejects.toMatchObject({ kind: 'uncertain', code: 'connection_lost' });
  expect((await bank.rail.lookUp(order.reference)).state).toBe('unknown');
});

test('slow: the deadline passes, and the request is done all the same', async () => {
  await bank.control.setFaults([{ name: 'slow', delayMs: 300, times: 1 }]);
  const order = anOrder();
  const hasty = bank.hastyRail(100);
  await expect(hasty.payOut(order)).rejects.toMatchObject({ kind: 'uncertain', code: 'timeout' });
  await eventually(async () => expect((await bank.rail.lookUp(order.reference)).state).toBe('settled'));
});

test('answer_lost: the money has moved, and only a look-up says so; sent again, it moves no more', async () => {
  await bank.control.setFaults([{ name: 'answer_lost', times: 1 }]);
  const order = anOrder();
  await expect(bank.rail.payOut(order)).rejects.toMatchObject({ kind: 'uncertain', code: 'connection_lost' });
  expect(await bank.rail.lookUp(order.reference)).toMatchObject({ state: 'settled', amountMinor: 1250n });
  expect((await bank.rail.payOut(order)).state).toBe('settled');
  expect(await linesOf(order.reference)).toHaveLength(1);
});

test('answer_lost on a void: the reference is forbidden all the same', async () => {
  const order = anOrder();
  await bank.control.setFaults([{ name: 'answer_lost', times: 1 }]);
  await expect(bank.rail.void(order.reference)).rejects.toMatchObject({ kind: 'uncertain' });
  expect((await bank.rail.lookUp(order.reference)).state).toBe('voided');
});

test('rejected: the request is refused for the reason given, in the answer, by look-up and by webhook', async () => {
  await bank.control.setFaults([{ name: 'rejected', reason: 'cut_off', kind: 'payout', times: 1 }]);
  const [collection, payout] = [anOrder(), anOrder()];
  expect((await bank.rail.collect(collection)).state).toBe('settled');
  const refused = { reference: payout.reference, state: 'refused', reason: 'cut_off' };
  expect(await bank.rail.payOut(payout)).toEqual(refused);
  expect(await bank.rail.payOut(payout)).toEqual(refused);
  expect(await bank.rail.lookUp(payout.reference)).toEqual(refused);
  expect(await receiver.told(payout.reference, 'refused')).toEqual(refused);
  expect((await bank.rail.payOut(anOrder())).state).toBe('settled');
});

test('never_settles: the request stays accepted, until it is voided', async () => {
  await bank.control.setFaults([{ name: 'never_settles' }]);
  const order = anOrder();
  expect((await bank.rail.collect(order)).state).toBe('accepted');
  await bank.control.setFaults([]);
  await bank.rail.collect(anOrder()); // a settling pass that would have taken it along
  expect((await bank.rail.lookUp(order.reference)).state).toBe('accepted');
  expect((await bank.rail.void(order.reference)).state).toBe('voided');
  expect(await linesOf(order.reference)).toEqual([]);
});

test('amount_mismatch: another amount settles, and every side of the bank says so', async () => {
  await bank.control.setFaults([{ name: 'amount_mismatch' }]);
  const order = anOrder();
  expect(await bank.rail.collect(order)).toMatchObject({ state: 'settled', amountMinor: 1249n });
  expect(await linesOf(order.reference)).toMatchObject([{ amountMinor: 1249n }]);
  expect((await receiver.told(order.reference, 'settled')).amountMinor).toBe(1249n);
});

test('double_settlement: the money moves twice, under two numbers; the look-up knows the first', async () => {
  await bank.control.setFaults([{ name: 'double_settlement' }]);
  const order = anOrder();
  const first = await bank.rail.payOut(order);
  const facts = await eventually(async () => {
    const told = receiver.facts(order.reference);
    expect(told).toHaveLength(2);
    return told;
  });
  expect(facts.map(({ state, amountMinor }) => [state, amountMinor])).toEqual(Array(2).fill(['settled', 1250n]));
  expect(new Set(facts.map(({ settlementId }) => settlementId)).size).toBe(2);
  expect(await linesOf(order.reference)).toMatchObject([{ amountMinor: -1250n }, { amountMinor: -1250n }]);
  expect((await bank.rail.lookUp(order.reference)).settlementId).toBe(first.settlementId);
});

test('returned: a payout that settled comes back, and is told of', async () => {
  await bank.control.setFaults([{ name: 'returned', reason: 'account_blocked', delayMs: 300 }]);
  const [collection, payout] = [anOrder(), anOrder()];
  expect((await bank.rail.payOut(payout)).state).toBe('settled');
  expect((await bank.rail.collect(collection)).state).toBe('settled');
  expect(await receiver.told(payout.reference, 'returned')).toMatchObject({ reason: 'account_blocked' });
  expect((await linesOf(payout.reference)).map(({ kind }) => kind)).toEqual(['payout', 'return']);
  expect(await linesOf(collection.reference)).toHaveLength(1);
});

test('late_request: a request arrives after a look-up has said that it is unknown', async () => {
  await bank.control.setFaults([{ name: 'late_request', times: 1 }]);
  const order = anOrder();
  await expect(bank.rail.payOut(order)).rejects.toMatchObject({ kind: 'uncertain' });
  expect(await linesOf(order.reference)).toEqual([]);
  expect((await bank.rail.lookUp(order.reference)).state).toBe('unknown');
  await eventually(async () => expect((await bank.rail.lookUp(order.reference)).state).toBe('settled'));
  expect(await linesOf(order.reference)).toHaveLength(1);
});

test('late_request: what is voided before it arrives never moves money', async () => {
  await bank.control.setFaults([{ name: 'late_request' }]);
  const order = anOrder();
  await expect(bank.rail.payOut(order)).rejects.toMatchObject({ kind: 'uncertain' });
  expect((await bank.rail.void(order.reference)).state).toBe('voided');
  expect((await bank.rail.lookUp(order.reference)).state).toBe('voided');
  expect(await linesOf(order.reference)).toEqual([]);
});

test('late_request: sent again before the first arrives, money moves once', async () => {
  await bank.control.setFaults([{ name: 'late_request', times: 1 }]);
  const order = anOrder();
  await expect(bank.rail.payOut(order)).rejects.toMatchObject({ kind: 'uncertain' });
  expect((await bank.rail.payOut(order)).state).toBe('settled');
  expect((await bank.rail.lookUp(order.reference)).state).toBe('settled');
  expect(await linesOf(order.reference)).toHaveLength(1);
});

test('lookup_lags: the look-up says unknown a few times of what has settled', async () => {
  await bank.control.setFaults([{ name: 'lookup_lags', looks: 2 }]);
  const order = anOrder();
  expect((await bank.rail.payOut(order)).state).toBe('settled');
  const looks = [];
  for (let look = 0; look < 3; look++) looks.push((await bank.rail.lookUp(order.reference)).state);
  expect(looks).toEqual(['unknown', 'unknown', 'settled']);
});

test('lookup_lags by time: the look-up learns of it later', async () => {
  await bank.control.setFaults([{ name: 'lookup_lags', delayMs: 400 }]);
  const order = anOrder();
  await bank.rail.payOut(order);
  expect((await bank.rail.lookUp(order.reference)).state).toBe('unknown');
  await eventually(async () => expect((await bank.rail.lookUp(order.reference)).state).toBe('settled'));
});

/** Settles an order under a fault, then one without: whatever was to be told of the first has been told by then. */
async function toldUnder(fault: NewFault): Promise<{ reference: string; later: string }> {
  const [order, later] = [anOrder(), anOrder()];
  await bank.control.setFaults([fault]);
  await bank.rail.payOut(order);
  await bank.control.setFaults([]);
  await bank.rail.payOut(later);
  await receiver.told(later.reference, 'settled');
  return { reference: order.reference, later: later.reference };
}

test('webhook_lost: nobody is told, and the look-up knows', async () => {
  const { reference } = await toldUnder({ name: 'webhook_lost' });
  expect(receiver.facts(reference)).toEqual([]);
  expect((await bank.rail.lookUp(reference)).state).toBe('settled');
});

test('webhook_duplicated: one event comes twice in a webhook and again in another, under one id', async () => {
  const { reference } = await toldUnder({ name: 'webhook_duplicated' });
  await eventually(async () => expect(receiver.facts(reference)).toHaveLength(3));
  const ids = receiver.events.flatMap((event) =>
    event.kind === 'fact' && event.fact.reference === reference ? [event.id] : [],
  );
  expect(new Set(ids).size).toBe(1);
  const counts = receiver.deliveries.map((each) => each.filter(({ id }) => id === ids[0]).length).filter(Boolean);
  expect(counts).toEqual([2, 1]);
});

test('webhook_out_of_order: what came later is told first', async () => {
  const { reference, later } = await toldUnder({ name: 'webhook_out_of_order', delayMs: 600 });
  await receiver.told(reference, 'settled');
  const order = receiver.events.flatMap((event) => (event.kind === 'fact' ? [event.fact.reference] : []));
  expect(order.indexOf(reference)).toBeGreaterThan(order.indexOf(later));
});

test('webhook_wrongly_signed: it is refused, and comes again rightly signed', async () => {
  const refused = receiver.refused;
  await bank.control.setFaults([{ name: 'webhook_wrongly_signed', times: 2 }]);
  const order = anOrder();
  await bank.rail.payOut(order);
  await receiver.told(order.reference, 'settled');
  expect(receiver.refused).toBe(refused + 2);
  expect(receiver.facts(order.reference)).toHaveLength(1);
});

test('a fault for one reference, or for one kind of call, meets no other', async () => {
  const [one, other] = [anOrder(), anOrder()];
  await bank.control.setFaults([{ name: 'outage', reference: one.reference, call: 'request' }]);
  await expect(bank.rail.payOut(one)).rejects.toMatchObject({ kind: 'later' });
  expect(await bank.rail.payOut(other)).toMatchObject({ state: 'settled' });
  expect(await bank.rail.lookUp(one.reference)).toMatchObject({ state: 'unknown' });
  expect(await bank.rail.void(one.reference)).toMatchObject({ state: 'voided' });
});

test('faults that are no faults are refused, and those that were on stay on', async () => {
  await bank.control.setFaults([{ name: 'slow', probability: 0 }]);
  for (const odd of [{ name: 'typo' }, { name: 'slow', probability: 2 }, { name: 'slow', delay: 1 }]) {
    await expect(bank.control.setFaults([odd as NewFault])).rejects.toThrow('400');
  }
  expect((await bank.control.faults()).faults).toEqual([{ name: 'slow', probability: 0 }]);
});

test('the same seed hits the same requests, at once or one by one; another seed hits others', async () => {
  const outcomes = async (seed: string, atOnce: boolean) => {
    const references = Array.from({ length: 40 }, (_, index) => `tx_0_seed:pay:${index}`);
    // What decides is the reference, so the same ones are sent to a bank that knows none of them.
    const fresh = await TestBank.start();
    try {
      await fresh.control.setFaults([{ name: 'rejected', probability: 0.5 }], seed);
      const send = async (reference: string) => (await fresh.rail.payOut(anOrder({ reference }))).state;
      if (atOnce) return await Promise.all(references.map(send));
      const states = [];
      for (const reference of references) states.push(await send(reference));
      return states;
    } finally {
      await fresh.close();
    }
  };
  const first = await outcomes('one', false);
  expect(new Set(first)).toEqual(new Set(['settled', 'refused']));
  expect(await outcomes('one', true)).toEqual(first);
  expect(await outcomes('other', true)).not.toEqual(first);
});

test('calls of one request are decided one by one: an outage at a half ends', async () => {
  await bank.control.setFaults([{ name: 'outage', probability: 0.5 }]);
  const order = anOrder();
  const states = [];
  for (let call = 0; call < 20; call++) states.push(await bank.rail.payOut(order).catch(({ kind }) => kind as string));
  expect(new Set(states.map((each) => (typeof each === 'string' ? each : each.state)))).toEqual(
    new Set(['later', 'settled']),
  );
});
