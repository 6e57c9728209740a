import { anOrder, BANK_KEY, TestBank } from '../support/bank';
import { eventually } from '../support/eventually';

/** One that settles in its answer, and one that takes long enough for a void to come between. */
let bank: TestBank;
let slow: TestBank;
beforeAll(async () => {
  [bank, slow] = await Promise.all([TestBank.start(), TestBank.start({ settleAfterMs: 3_600_000 })]);
});
afterAll(() => Promise.all([bank.close(), slow.close()]));

const today = () => new Date().toISOString().slice(0, 10);

async function linesOf(which: TestBank, reference: string) {
  return (await which.control.statement('SGD')).filter((line) => line.reference === reference);
}

test('a collection adds to our account, a payout takes from it, and both settle in the answer of an instant bank', async () => {
  const [collection, payout] = [anOrder({ currency: 'KWD' }), anOrder({ currency: 'KWD', amountMinor: 250n })];
  const collected = await bank.rail.collect(collection);
  expect(collected).toMatchObject({ reference: collection.reference, state: 'settled', amountMinor: 1250n });
  expect(await bank.rail.lookUp(collection.reference)).toEqual(collected);
  expect(await bank.rail.payOut(payout)).toMatchObject({ state: 'settled', amountMinor: 250n, currency: 'KWD' });
  expect(await bank.control.statement('KWD')).toMatchObject([
    { kind: 'collection', reference: collection.reference, amountMinor: 1250n, settlementId: collected.settlementId },
    { kind: 'payout', reference: payout.reference, amountMinor: -250n },
  ]);
  expect(await bank.control.balances()).toContainEqual({
    currency: 'KWD',
    amountMinor: 1000n,
    statementSumMinor: 1000n,
  });
});

test('with a delay a request is accepted first, and settles by itself', async () => {
  const patient = await TestBank.start({ settleAfterMs: 30 });
  try {
    const order = anOrder();
    expect(await patient.rail.payOut(order)).toEqual({ reference: order.reference, state: 'accepted' });
    await eventually(async () => expect((await patient.rail.lookUp(order.reference)).state).toBe('settled'));
    expect(await linesOf(patient, order.reference)).toHaveLength(1);
  } finally {
    await patient.close();
  }
});

test('a reference that was never sent is unknown', async () => {
  expect(await bank.rail.lookUp('tx_0_never:pay:1')).toEqual({ reference: 'tx_0_never:pay:1', state: 'unknown' });
});

test('fifty identical requests at once move money once, and each is told the same', async () => {
  const order = anOrder();
  const facts = await Promise.all(Array.from({ length: 50 }, () => bank.rail.payOut(order)));
  expect(new Set(facts.map(({ settlementId }) => settlementId)).size).toBe(1);
  expect(new Set(facts.map(({ state }) => state))).toEqual(new Set(['settled']));
  expect(await linesOf(bank, order.reference)).toHaveLength(1);
});

test('a reference that is used for something else is our mistake', async () => {
  const order = anOrder();
  await bank.rail.payOut(order);
  for (const other of [
    () => bank.rail.payOut({ ...order, amountMinor: 1251n }),
    () => bank.rail.payOut({ ...order, currency: 'USD' }),
    () => bank.rail.payOut({ ...order, account: { ...order.account, number: '999988887777' } }),
    () => bank.rail.collect(order),
  ]) {
    await expect(other()).rejects.toMatchObject({ kind: 'never', code: 'reference_reused' });
  }
  expect(await linesOf(bank, order.reference)).toHaveLength(1);
});

test('a void of an accepted request forbids it for ever', async () => {
  const order = anOrder();
  await slow.rail.payOut(order);
  const voided = { reference: order.reference, state: 'voided' };
  expect(await slow.rail.void(order.reference)).toEqual(voided);
  expect(await slow.rail.void(order.reference)).toEqual(voided);
  expect(await slow.rail.lookUp(order.reference)).toEqual(voided);
  expect(await slow.rail.payOut(order)).toEqual({ ...voided, state: 'refused', reason: 'voided' });
});

test('a void of a reference that never came refuses it when it comes', async () => {
  const order = anOrder();
  expect((await bank.rail.void(order.reference)).state).toBe('voided');
  expect(await bank.rail.payOut(order)).toMatchObject({ state: 'refused', reason: 'voided' });
  expect(await linesOf(bank, order.reference)).toEqual([]);
});

test('a void that comes too late is answered with what has happened', async () => {
  const [settled, refused] = [anOrder(), anOrder({ number: '55550001' })];
  const fact = await bank.rail.payOut(settled);
  expect(await bank.rail.void(settled.reference)).toEqual(fact);
  await bank.rail.payOut(refused);
  expect(await bank.rail.void(refused.reference)).toMatchObject({ state: 'refused', reason: 'account_closed' });
});

test('when a request and its void race, exactly one wins, and all are told which', async () => {
  for (let round = 0; round < 20; round++) {
    const order = anOrder();
    const [paid, voided] = await Promise.all([bank.rail.payOut(order), bank.rail.void(order.reference)]);
    const moved = await linesOf(bank, order.reference);
    expect(moved).toHaveLength(voided.state === 'settled' ? 1 : 0);
    if (voided.state === 'settled') expect(paid).toEqual(voided);
    else expect(['refused voided', 'voided undefined']).toContain(`${paid.state} ${paid.reason}`);
    expect((await bank.rail.lookUp(order.reference)).state).toBe(voided.state);
  }
});

test.each([
  ['55550001', 'account_closed', 'account_closed'],
  ['55550002', 'insufficient_funds', undefined],
  ['55550003', 'name_mismatch', 'name_mismatch'],
  ['55550004', 'limit', 'limit'],
  ['55550005', 'cut_off', 'cut_off'],
  ['55550006', 'liquidity', 'liquidity'],
  ['no/number', 'account_not_found', 'account_not_found'],
])('an account number %s has a collection refused as %s, and a payout as %s', async (number, collection, payout) => {
  expect(await bank.rail.collect(anOrder({ number }))).toMatchObject({ state: 'refused', reason: collection });
  const paid = await bank.rail.payOut(anOrder({ number }));
  expect(paid).toMatchObject(payout === undefined ? { state: 'settled' } : { state: 'refused', reason: payout });
});

test('an account number ending in 0007 has a payout returned: the money comes back under a number of its own', async () => {
  const order = anOrder({ number: '55550007' });
  await bank.rail.payOut(order);
  const fact = await eventually(async () => {
    const now = await bank.rail.lookUp(order.reference);
    expect(now).toMatchObject({ state: 'returned', reason: 'account_closed', amountMinor: 1250n });
    return now;
  });
  const lines = await linesOf(bank, order.reference);
  expect(lines).toMatchObject([
    { kind: 'payout', amountMinor: -1250n },
    { kind: 'return', amountMinor: 1250n, settlementId: fact.settlementId },
  ]);
});

test('accounts are checked by the same conventions', async () => {
  const check = (number: string) => bank.rail.checkAccount({ holder: 'A Holder', number, bankCode: 'TESTSGSG' });
  expect(await check('12345678')).toEqual({ ok: true });
  expect(await check('55550001')).toEqual({ ok: false, reason: 'account_closed' });
  expect(await check('55550003')).toEqual({ ok: false, reason: 'name_mismatch' });
  expect(await check('x')).toEqual({ ok: false, reason: 'account_not_found' });
});

test('the statement of a day comes in pages, in order, each line once', async () => {
  const orders = Array.from({ length: 7 }, () => anOrder({ currency: 'AUD' }));
  for (const order of orders) await bank.rail.collect(order);
  const page = async (cursor?: string) => {
    const query = new URLSearchParams({ day: today(), currency: 'AUD', limit: '3', ...(cursor && { cursor }) });
    const headers = { authorization: `Bearer ${BANK_KEY}` };
    const answer = await fetch(`${bank.url}/v1/statement?${query.toString()}`, { headers });
    return (await answer.json()) as { lines: { reference: string }[]; nextCursor?: string };
  };
  const pages = [await page()];
  while (pages.at(-1)!.nextCursor) pages.push(await page(pages.at(-1)!.nextCursor));
  expect(pages.map(({ lines }) => lines.length)).toEqual([3, 3, 1]);
  const references = pages.flatMap(({ lines }) => lines.map(({ reference }) => reference));
  expect(references).toEqual(orders.map(({ reference }) => reference));
  expect(await bank.rail.statement({ day: '2001-02-03', currency: 'AUD' })).toEqual({ lines: [] });
});

test('the balance is the sum of the statement, whatever comes at once', async () => {
  await Promise.all(
    Array.from({ length: 60 }, (_, index) => {
      const order = anOrder({ currency: index % 3 === 0 ? 'EUR' : 'USD', amountMinor: BigInt(index + 1) });
      return index % 2 === 0 ? bank.rail.collect(order) : bank.rail.payOut(order);
    }),
  );
  const balances = await bank.control.balances();
  expect(balances.length).toBeGreaterThanOrEqual(2);
  for (const { currency, amountMinor, statementSumMinor } of balances) {
    expect(statementSumMinor).toBe(amountMinor);
    const lines = await bank.control.statement(currency);
    expect(lines.reduce((sum, line) => sum + line.amountMinor, 0n)).toBe(amountMinor);
  }
});

test('what makes no sense is refused, and stores nothing', async () => {
  const order = anOrder();
  for (const odd of [{ amountMinor: 0n }, { amountMinor: -1n }, { currency: 'sgd' }, { reference: '' }]) {
    await expect(bank.rail.payOut({ ...order, ...odd })).rejects.toMatchObject({ kind: 'never' });
  }
  expect((await bank.rail.lookUp(order.reference)).state).toBe('unknown');
});

test('the page works with nothing but this server, and shows no account number', async () => {
  const number = '777766661234';
  await bank.rail.payOut(anOrder({ number }));
  const texts = await Promise.all(
    ['/', '/page.js', '/page.css', '/overview', '/faults'].map(async (path) => {
      const answer = await fetch(bank.url + path);
      expect([path, answer.status]).toEqual([path, 200]);
      return answer.text();
    }),
  );
  expect(texts.join('\n')).not.toMatch(/https?:\/\//);
  expect(texts.join('\n')).not.toContain(number);
  expect(texts.join('\n')).toContain('1234');
  expect(texts.join('\n')).not.toContain(BANK_KEY);
});

test('its log says which reference was asked for, and never whose account it was', async () => {
  const logged: unknown[] = [];
  const keep = (...line: unknown[]) => void logged.push(line);
  const logging = await TestBank.start({ log: { info: keep, warn: keep, error: keep } });
  try {
    const [paid, odd] = [anOrder({ number: '777766665555' }), anOrder({ number: '777766665555', amountMinor: 0n })];
    await logging.rail.payOut(paid);
    await expect(logging.rail.payOut(odd)).rejects.toMatchObject({ kind: 'never' });
    await logging.rail.checkAccount(paid.account);
    await eventually(async () => expect(JSON.stringify(logged)).toContain('/v1/account-checks'));
    const text = JSON.stringify(logged);
    expect(text).toContain(paid.reference);
    for (const secret of [paid.account.number, paid.account.holder, BANK_KEY]) expect(text).not.toContain(secret);
  } finally {
    await logging.close();
  }
});
