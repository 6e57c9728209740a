import { randomUUID } from 'node:crypto';
import { createBankControl } from '../../bank/simulator/control';
import { holdfast } from '../support/command';
import { eventually } from '../support/eventually';
import { Caller, Customer, type Credentials } from './person';

/** A Holdfast that runs somewhere, and who may do there what customers can't. */
export interface Target {
  url: string;
  /** Two people of ops. */
  staff: [Credentials, Credentials];
  /** Of a bank simulator, whose faults are switched. Without it, what needs them is left out. */
  bankUrl?: string;
}

/** Above the minute after which a payment asks for a person, unless it is told otherwise. */
const PATIENT = { withinMs: 150_000, everyMs: 500 };
const MOST_CUSTOMERS = 12;

const dollars = (amount: number) => `${amount}.00`;

/** Everything that people do with money, over REST and the command alone. */
export function journeys(target: () => Target): void {
  let customers: Customer[];
  let staff: [Caller, Caller];

  const near = () => customers.slice(1).find(({ shard }) => shard === customers[0]!.shard)!;
  const far = () => customers.find(({ shard }) => shard !== customers[0]!.shard);
  const bank = () => createBankControl({ url: target().bankUrl!, apiKey: 'none' });

  async function reaches(who: Caller, id: string, status: string): Promise<void> {
    await eventually(async () => {
      const { body } = await who.get(`/v1/transactions/${id}`);
      expect({ id, status: body.status }).toEqual({ id, status });
    }, PATIENT);
  }

  async function pay(who: Customer, kind: 'deposits' | 'withdrawals', amount: number): Promise<string> {
    const body = { wallet: who.wallet, amount: dollars(amount), bankAccount: who.bankAccount };
    const answer = await who.api.post(`/v1/${kind}`, body);
    expect([201, 202]).toContain(answer.status);
    return answer.body.id as string;
  }

  async function transfer(from: Customer, to: Customer, amount: number): Promise<string> {
    const key = randomUUID();
    const body = { from: from.wallet, to: to.wallet, amount: dollars(amount) };
    const answer = await from.api.post('/v1/transfers', body, key);
    expect([201, 202]).toContain(answer.status);
    const id = answer.body.id as string;
    await reaches(from.api, id, 'completed');
    const again = await from.api.post('/v1/transfers', body, key);
    expect(again).toMatchObject({ status: 201, body: { id }, headers: { 'idempotent-replayed': 'true' } });
    from.dollars -= amount;
    to.dollars += amount;
    return id;
  }

  async function balancesAreAsTold(): Promise<void> {
    for (const each of customers) {
      expect(await each.balance()).toEqual({ balance: dollars(each.dollars), held: dollars(0) });
    }
  }

  beforeAll(async () => {
    const { url } = target();
    staff = [await Caller.signIn(url, target().staff[0]), await Caller.signIn(url, target().staff[1])];
    customers = [];
    // Which shard somebody lives on follows from the name. Two on one and one on another, where there is another.
    while (customers.length < 3 || !near() || (!far() && customers.length < MOST_CUSTOMERS)) {
      customers.push(await Customer.join(url));
    }
    expect(new Set(customers.map(({ shard }) => shard)).size).toBeLessThanOrEqual(MOST_CUSTOMERS);
  });

  test('money comes in from the bank', async () => {
    for (const each of [customers[0]!, near()]) {
      await reaches(each.api, await pay(each, 'deposits', 20_000), 'completed');
      each.dollars += 20_000;
    }
    await balancesAreAsTold();
  });

  test('it goes to others, on the same shard and on another, once for each key', async () => {
    await transfer(customers[0]!, near(), 100);
    if (far()) {
      await transfer(near(), far()!, 150);
      await transfer(far()!, customers[0]!, 50);
    }
    await balancesAreAsTold();
  });

  test('more than there is is refused, and the key stays used', async () => {
    const [from, to] = [customers[0]!, near()];
    const body = { from: from.wallet, to: to.wallet, amount: dollars(from.dollars + 1) };
    const key = randomUUID();
    for (const replayed of [undefined, 'true']) {
      const answer = await from.api.post('/v1/transfers', body, key);
      expect(answer).toMatchObject({ status: 422, body: { transaction: { reason: 'insufficient_funds' } } });
      expect(answer.headers['idempotent-replayed']).toBe(replayed);
    }
    const other = await from.api.post('/v1/transfers', { ...body, amount: dollars(1) }, key);
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_key_reused' } });
    await balancesAreAsTold();
  });

  test('many go in one request, each with its own result', async () => {
    const from = customers[0]!;
    const others = customers.slice(1);
    const transfers = Array.from({ length: 40 }, (_, index) => ({
      idempotencyKey: randomUUID(),
      from: from.wallet,
      to: others[index % others.length]!.wallet,
      amount: dollars(1),
    }));
    const answer = await from.api.post('/v1/transfers/bulk', { transfers });
    expect(answer.status).toBe(207);
    const results = answer.body.results as { status: number; transaction: { id: string } }[];
    expect(results).toHaveLength(40);
    for (const { status, transaction } of results) {
      expect([201, 202]).toContain(status);
      await reaches(from.api, transaction.id, 'completed');
    }
    for (const [index] of transfers.entries()) others[index % others.length]!.dollars += 1;
    from.dollars -= 40;
    await balancesAreAsTold();
  });

  test('a transfer is given back, in part, from either shard', async () => {
    for (const to of [near(), far()].filter((each) => each !== undefined)) {
      const from = customers[0]!;
      const id = await transfer(from, to, 30);
      const refund = await to.api.post(`/v1/transactions/${id}/refund`, { amount: dollars(10) });
      expect([201, 202]).toContain(refund.status);
      await reaches(to.api, refund.body.id as string, 'completed');
      from.dollars += 10;
      to.dollars -= 10;
    }
    await balancesAreAsTold();
  });

  test('it goes out to the bank; what is much waits for a second person', async () => {
    const who = customers[0]!;
    await reaches(who.api, await pay(who, 'withdrawals', 200), 'completed');
    const much = await pay(who, 'withdrawals', 10_000);
    await reaches(who.api, much, 'awaiting_approval');
    expect((await who.balance()).held).toBe(dollars(10_000));
    const approved = await staff[0].post(`/v1/transactions/${much}/approve`, {});
    expect([200, 202]).toContain(approved.status);
    await reaches(who.api, much, 'completed');
    who.dollars -= 10_200;
    await balancesAreAsTold();
  });

  test('what the bank does not answer asks for a person, who retries it by the command', async () => {
    if (target().bankUrl === undefined) return;
    const who = near();
    await bank().setFaults([{ name: 'outage', kind: 'payout' }]);
    try {
      const id = await pay(who, 'withdrawals', 75);
      await reaches(who.api, id, 'needs_attention');
      await bank().setFaults([]);
      const [{ username, password }] = target().staff;
      const env = { HOLDFAST_URL: target().url, HOLDFAST_USER: username, HOLDFAST_PASSWORD: password };
      const said = await holdfast(['ops', 'retry', id, '--note', 'the bank is back'], env);
      // At its slow beat it may have gone on by itself a moment before.
      expect(said.out + said.err).toContain(id);
      await reaches(who.api, id, 'completed');
    } finally {
      await bank().setFaults([]);
    }
    who.dollars -= 75;
    await balancesAreAsTold();
  });

  test('the books prove themselves, each other, and the bank', async () => {
    const started = await staff[0].post('/v1/ops/reconciliations', {});
    expect(started.status).toBe(202);
    await eventually(async () => {
      const { body } = await staff[0].get('/v1/ops/reconciliations?limit=200');
      const all = body.data as { run: string; status: string; findings: number; scope: string }[];
      const parts = all.filter(({ run }) => run === started.body.run);
      expect(parts.length).toBeGreaterThan(1);
      for (const { status, findings, scope } of parts)
        expect({ scope, status, findings }).toEqual({ scope, status: 'done', findings: 0 });
    }, PATIENT);
  });
}
