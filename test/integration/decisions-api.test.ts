import { ownerWorkflowId } from '../../contracts/payments';
import { transferWorkflowId } from '../../contracts/transfers';
import { factsOf } from '../../ledger/items';
import { readPayment } from '../../payments/stock';
import type { TestUser } from '../support/api';
import { TestBank } from '../support/bank';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { addBankAccount, pay } from '../support/payments';
import { Trouble } from '../support/trouble';

let bank: TestBank;
let holdfast: TestHoldfast;
let olivia: TestUser;
let oscar: TestUser;
beforeAll(async () => {
  bank = await TestBank.start();
  holdfast = await TestHoldfast.start({
    rail: bank.hastyRail(2_000),
    payments: { attentionAfterMs: 3_000, pollFirstMs: 200, pollMaxMs: 500 },
  });
  olivia = await holdfast.api.newUser('olivia', { roles: ['ops'] });
  oscar = await holdfast.api.newUser('oscar', { roles: ['admin'] });
});
afterAll(async () => {
  await holdfast.close();
  await bank.close();
});

type Kind = 'approve' | 'reject' | 'retry' | 'cancel' | 'resolve';
const say = (user: TestUser, kind: Kind, id: string, body: object = {}, headers = {}) =>
  holdfast.api.post(`/v1/transactions/${id}/${kind}`, body, user.token, headers);
const wallet = async (user: TestUser) =>
  (await holdfast.api.get(`/v1/wallets/${walletOf(user)}`, user.token)).body as Record<string, string>;

/** A customer who asked for a withdrawal that waits for approval. */
async function asked(name: string): Promise<{ user: TestUser; id: string }> {
  const user = await holdfast.api.newUser(name, { wallets: ['SGD'] });
  await holdfast.api.fund(name, 'SGD', '10000.00');
  const fields = { wallet: walletOf(user), amount: '10000.00', bankAccount: await addBankAccount(holdfast.api, user) };
  return { user, id: (await pay(holdfast.api, user, 'withdrawals', 'large', fields)).body.id };
}

/** As its workflow says it. */
async function needsAttention(id: string): Promise<void> {
  const { db, poster } = holdfast.shards.shard(0);
  const { facts, owner } = (await readPayment(db, id))!;
  const why = { reason: 'stuck', lastError: 'made by a test' };
  const [outcome] = await poster.post([{ kind: 'attention', facts, owner: owner!, ...why }]);
  expect(outcome).toMatchObject({ status: 'needs_attention' });
}

describe('approval', () => {
  test('sends a withdrawal on its way to the bank', async () => {
    const { user, id } = await asked('dec_approve');
    const { status, headers, body } = await say(olivia, 'approve', id, { note: 'known customer' });
    expect({ status, decision: headers.get('holdfast-decision') }).toEqual({ status: 202, decision: 'final' });
    expect(body.id).toBe(id);
    await holdfast.becomes(user, id, 'completed', 20_000);
    expect(JSON.stringify(await holdfast.read(oscar, id))).toContain('note: known customer');
    expect(JSON.stringify(await holdfast.read(user, id))).not.toContain('known customer');
    expect(await wallet(user)).toMatchObject({ balance: '0.00', held: '0.00' });
    expect(await say(oscar, 'approve', id)).toMatchObject({ status: 409, body: { code: 'not_awaiting_approval' } });
    expect(await say(oscar, 'cancel', id)).toMatchObject({
      status: 409,
      body: { code: 'too_late', transaction: { id, status: 'completed' } },
    });
  });

  test('refused gives back what was held, and says who decided to staff alone', async () => {
    const { user, id } = await asked('dec_reject');
    const { status, body } = await say(olivia, 'reject', id);
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { status: 'cancelled', reason: 'approval_rejected' },
    });
    expect(await wallet(user)).toMatchObject({ held: '0.00', available: '10000.00' });
    const seenBy = async (reader: TestUser) => JSON.stringify(await holdfast.read(reader, id));
    expect(await seenBy(oscar)).toContain(olivia.userId);
    expect(await seenBy(user)).not.toContain(olivia.userId);
  });

  test('asked for again with its key is the same decision; the key of another is 409', async () => {
    const { id } = await asked('dec_keys');
    const key = { 'idempotency-key': 'k' };
    for (let time = 0; time < 2; time += 1) expect((await say(olivia, 'reject', id, {}, key)).status).toBe(200);
    expect((await say(olivia, 'reject', id)).status).toBe(409);
  });
});

describe('a cancel', () => {
  test('by the customer who asked ends it, with nothing held any more', async () => {
    const { user, id } = await asked('dec_cancel');
    expect(await say(user, 'cancel', id)).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    expect(await wallet(user)).toMatchObject({ held: '0.00' });
    expect(await say(user, 'cancel', id)).toMatchObject({ status: 409, body: { code: 'too_late' } });
    expect(await say(olivia, 'retry', id)).toMatchObject({ status: 409, body: { code: 'too_late' } });
  });

  test('by another customer, or of nothing, is 404', async () => {
    const { user, id } = await asked('dec_theirs');
    const stranger = await holdfast.api.newUser('dec_stranger');
    for (const other of [id, `${id.slice(0, -2)}aa`, 'nonsense']) {
      expect((await say(stranger, 'cancel', other)).status).toBe(404);
    }
    expect((await say(user, 'approve', id)).status).toBe(403);
    expect((await wallet(user)).held).toBe('10000.00');
  });
});

describe('an adjustment', () => {
  const adjust = (user: TestUser, key: string, body: object) =>
    holdfast.api.post('/v1/ops/adjustments', body, user.token, { 'idempotency-key': key });

  test.each([
    ['5.00', '105.00'],
    ['-5.00', '95.00'],
  ])('of %s moves nothing until another person approves it', async (amount, after) => {
    const [alice] = await holdfast.pair(`dec_adj_${amount.length}`);
    const fields = { wallet: walletOf(alice), amount, reason: 'a mistake of ours' };
    const first = await adjust(olivia, `fix${amount}`, fields);
    expect(first).toMatchObject({
      status: 202,
      body: { type: 'adjustment', status: 'awaiting_approval', amount: '5.00', message: 'a mistake of ours' },
    });
    const again = await adjust(olivia, `fix${amount}`, fields);
    expect([again.status, again.body.id, again.headers.get('idempotent-replayed')]).toEqual([
      202,
      first.body.id,
      'true',
    ]);
    expect((await adjust(olivia, `fix${amount}`, { ...fields, reason: 'another' })).status).toBe(409);
    expect(await say(olivia, 'approve', first.body.id)).toMatchObject({ status: 403, body: { code: 'own_request' } });
    expect(await holdfast.balance(alice)).toBe('100.00');
    expect((await say(oscar, 'approve', first.body.id)).status).toBeLessThan(300);
    await holdfast.becomes(oscar, first.body.id, 'completed', 20_000);
    expect(await holdfast.balance(alice)).toBe(after);
  });

  test('of a wallet that is not there is 404, and of an amount that is none 422', async () => {
    const fields = { wallet: 'nobody_at_all.SGD', amount: '1.00', reason: 'because' };
    expect((await adjust(olivia, 'none', fields)).status).toBe(404);
    for (const amount of ['--1.00', '+1.00', '-0', '1.001']) {
      expect((await adjust(olivia, 'none', { ...fields, amount })).status).toBe(422);
    }
  });
});

describe('to resolve', () => {
  test('takes two people who say the same, of what needs attention', async () => {
    const { user, id } = await asked('dec_resolve');
    const resolve = (by: TestUser, outcome: string) => say(by, 'resolve', id, { outcome, note: 'the bank told us' });
    expect(await resolve(olivia, 'cancelled')).toMatchObject({ status: 409, body: { code: 'not_in_attention' } });
    await bank.control.setFaults([{ name: 'outage' }]);
    await say(olivia, 'approve', id);
    await holdfast.becomes(user, id, 'needs_attention', 20_000);
    const first = await resolve(olivia, 'cancelled');
    expect([first.status, first.headers.get('holdfast-decision')]).toEqual([202, 'proposed']);
    expect(await resolve(olivia, 'cancelled')).toMatchObject({ status: 409, body: { code: 'second_person_needed' } });
    const second = await resolve(oscar, 'cancelled');
    expect([second.status, second.headers.get('holdfast-decision')]).toEqual([202, 'final']);
    await holdfast.becomes(user, id, 'cancelled', 20_000);
    await bank.control.setFaults([]);
    expect((await wallet(user)).held).toBe('0.00');
  });
});

describe('of a transfer', () => {
  let trouble: Trouble;
  beforeAll(async () => (trouble = await Trouble.in(holdfast.database)));

  async function stuck(name: string): Promise<{ alice: TestUser; id: string }> {
    const [alice, bob] = await holdfast.pair(name);
    const id = holdfast.idOf(alice, 'stuck');
    await trouble.for(id);
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '10.00' };
    await holdfast.transfer(alice, 'stuck', fields, { prefer: 'respond-async' });
    await holdfast.becomes(alice, id, 'needs_attention', 20_000);
    return { alice, id };
  }

  test('a cancel by its sender undoes it', async () => {
    const { alice, id } = await stuck('dec_tx_cancel');
    expect(await say(alice, 'resolve', id, { outcome: 'completed', note: 'x' })).toMatchObject({ status: 403 });
    expect(await say(olivia, 'resolve', id, { outcome: 'completed', note: 'x' })).toMatchObject({
      status: 409,
      body: { code: 'not_resolvable' },
    });
    expect(await say(alice, 'cancel', id)).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    expect(await holdfast.balance(alice)).toBe('100.00');
  });

  test('a retry completes it once what was in its way is gone', async () => {
    const { alice, id } = await stuck('dec_tx_retry');
    await trouble.isOver(id);
    expect(await say(olivia, 'retry', id)).toMatchObject({ status: 200, body: { status: 'completed' } });
    expect(await holdfast.balance(alice)).toBe('90.00');
  });

  test('that a group is posting is too_late to cancel', async () => {
    const [alice, bob] = await holdfast.pair('dec_tx_group');
    const names = holdfast.api.deps.names;
    const [from, to] = await Promise.all(
      [alice, bob].map(({ username }) => names.resolve({ username, currency: 'SGD' })),
    );
    const item = { id: holdfast.idOf(alice, 'x'), hash: 'h', actor: alice.userId, amountMinor: '1', currency: 'SGD' };
    const facts = factsOf({ ...item, from: from!.accountId, to: to!.accountId });
    const post = (owner: string) => holdfast.shards.shard(0).poster.post([{ kind: 'pend', facts, owner }]);
    await post('lane/some-group');
    const answer = await say(alice, 'cancel', facts.id);
    expect(answer).toMatchObject({
      status: 409,
      body: { code: 'too_late', detail: 'It is being posted.', transaction: { status: 'pending' } },
    });
    expect((await holdfast.row(facts.id))!.owner_workflow).not.toBe(transferWorkflowId(facts.id));
  });
});

describe('ops’ list of what waits', () => {
  const list = async (query = '') => {
    const { status, body } = await holdfast.api.get(`/v1/ops/attention${query}`, oscar.token);
    expect(status).toBe(200);
    return body as { data: { transaction: { id: string; status: string } }[]; nextCursor: string | null };
  };

  test('shows each with why, since when and where it is worked on', async () => {
    const { user, id } = await asked('list_a');
    const { data } = await list('?order=newest&limit=1');
    expect(data[0]).toMatchObject({
      transaction: { id, status: 'awaiting_approval' },
      lastError: null,
      workflowId: ownerWorkflowId('withdrawal', id),
      workflowUrl: `http://temporal.example/${encodeURIComponent(ownerWorkflowId('withdrawal', id))}`,
    });
    await holdfast.stopWorkers();
    await say(olivia, 'approve', id);
    await needsAttention(id);
    expect((await list('?reason=stuck')).data).toMatchObject([
      { transaction: { id, status: 'needs_attention', reason: 'stuck' }, lastError: 'made by a test' },
    ]);
    await holdfast.startWorkers();
    await holdfast.becomes(user, id, 'completed', 20_000);
  });

  test('is paged in either order, and filtered', async () => {
    const made = [(await asked('list_b')).id, (await asked('list_c')).id];
    const all = (await list()).data;
    expect(all.map(({ transaction }) => transaction.id).slice(-2)).toEqual(made);
    for (const order of ['oldest', 'newest']) {
      const seen: unknown[] = [];
      let cursor: string | null = '';
      do {
        const page = await list(`?order=${order}&limit=1${cursor && `&cursor=${cursor}`}`);
        seen.push(...page.data);
        cursor = page.nextCursor;
      } while (cursor);
      expect(order === 'oldest' ? seen : seen.reverse()).toEqual(all);
    }
    const waiting = await list('?status=awaiting_approval&type=withdrawal&currency=SGD');
    expect(waiting.data.map(({ transaction }) => transaction.id)).toEqual(expect.arrayContaining(made));
    for (const query of ['type=deposit', 'currency=JPY', 'reason=none', 'until=2020-01-01T00:00:00Z']) {
      expect((await list(`?${query}`)).data).toEqual([]);
    }
  });
});
