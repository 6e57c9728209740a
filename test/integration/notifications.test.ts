import { createHmac, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { NOTIFY_SCHEDULE_ID, NOTIFY_WORKFLOW_TYPE, type NotifiedShard } from '../../contracts/notifications';
import { systemAccountId } from '../../contracts/ids';
import { TASK_QUEUE } from '../../contracts/transfers';
import type { Command, TransactionFacts } from '../../ledger/commands';
import { openChannels } from '../../notifications';
import { collect, eventsQuery } from '../../notifications/collect';
import { openAccount } from '../../users/accounts';
import type { TestUser } from '../support/api';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';
import { HookReceiver, MailReceiver } from '../support/receivers';
import { decoded } from '../support/record-histories';
import { asOwner } from '../support/trouble';

const SECRET = 'a secret for the webhooks of tests';
const OPS = 'ops@example.com';

let hooks: HookReceiver;
let mails: MailReceiver;
let holdfast: TestHoldfast;

beforeAll(async () => {
  [hooks, mails] = await Promise.all([HookReceiver.start(), MailReceiver.start()]);
  const settings = {
    log: 'none' as const,
    webhook: { url: hooks.url, secret: SECRET, rules: { httpsOnly: false, allowPrivate: true } },
    email: { smtpUrl: mails.url, from: 'Holdfast <wallet@example.com>', opsAddress: OPS },
  };
  const log = { info: fail, warn: fail, error: fail };
  holdfast = await TestHoldfast.start({ channels: (sealer) => openChannels(settings, { sealer, log }) });
  await notify();
});
afterAll(async () => {
  for (const channel of holdfast.notifier.channels) channel.close();
  await holdfast.close();
  await Promise.all([hooks.goAway(), mails.goAway()]);
});
beforeEach(() => {
  hooks.received.length = 0;
  mails.received.length = 0;
});

const fail = () => {
  throw new Error('nothing is told by log');
};

async function notify(): Promise<NotifiedShard> {
  const [told] = await holdfast.outside.client.workflow.execute<(input: object) => Promise<NotifiedShard[]>>(
    NOTIFY_WORKFLOW_TYPE,
    { workflowId: `notify-${randomUUID()}`, taskQueue: TASK_QUEUE, args: [{ shards: 1 }] },
  );
  return told!;
}

const shard = () => holdfast.shards.shard(0);
const post = (...commands: Command[]) => shard().poster.post(commands);
const house = (currency = 'SGD') => systemAccountId(0, '@bank', currency);
const walletId = async ({ username }: TestUser, currency = 'SGD') =>
  (await holdfast.api.deps.names.resolve({ username, currency }))!.accountId;

async function factsOf(
  user: TestUser,
  facts: Pick<TransactionFacts, 'type' | 'from'> & Partial<TransactionFacts>,
): Promise<TransactionFacts> {
  const key = randomUUID();
  const id = holdfast.idOf(user, key);
  return { id, actorId: user.userId, hash: key, amountMinor: 1250n, currency: 'SGD', ...facts };
}

const deposit = async (user: TestUser, change: Partial<TransactionFacts> = {}) =>
  factsOf(user, {
    type: 'deposit',
    from: house(change.currency),
    to: await walletId(user, change.currency),
    ...change,
  });
const withdrawal = async (user: TestUser) =>
  factsOf(user, { type: 'withdrawal', from: await walletId(user), to: house() });
const hold = (facts: TransactionFacts): Command => ({
  kind: 'hold',
  facts,
  step: 'hold',
  owner: `withdrawal/${facts.id}`,
});

/** What was told over both channels, which have to agree: `audience kind subject`. */
function told(): string[] {
  const byHook = hooks.received.map(({ body }) => {
    const who = body.audience === 'ops' ? OPS : emailOf(body.userId as string);
    return `${who}: ${body.subject}`;
  });
  const byMail = mails.received.map(({ to, text }) => `${to.join()}: ${/^Subject: (.*)\r$/m.exec(text)![1]}`);
  expect(byMail.sort()).toEqual(byHook.sort());
  return byHook;
}

const emails = new Map<string, string>();
const emailOf = (userId: string) => emails.get(userId) ?? userId;
async function pair(name: string): Promise<[TestUser, TestUser]> {
  const both = await holdfast.pair(name);
  for (const { userId, username } of both) emails.set(userId, `${username}@example.com`);
  await notify();
  return both;
}

const rows = () => shard().db.selectFrom('notifications').selectAll().orderBy('id').execute();
const rowsOf = async (id: string) => (await rows()).filter((row) => row.transaction_id === id);

describe('who is told what', () => {
  test('of a transfer, both sides and nobody else', async () => {
    const [alice, bob] = await pair('transfer');
    const fields = { from: walletOf(alice), to: walletOf(bob), amount: '12.50', message: 'a private message' };
    const { body } = await holdfast.transfer(alice, 'k', fields);
    expect(await notify()).toMatchObject({ collected: 4, sent: 4, failed: 0, givenUp: 0 });
    expect(told()).toEqual([
      'transfer_a@example.com: 12.50 SGD left your wallet',
      'transfer_b@example.com: 12.50 SGD arrived',
    ]);
    const transaction = { id: body.id, type: 'transfer', amount: '12.50', currency: 'SGD' };
    expect(hooks.received.map((each) => each.body.transaction)).toEqual([transaction, transaction]);
    expect(mails.received[0]!.text).toContain(body.id);
    expect(await notify()).toMatchObject({ collected: 0, sent: 0 });
  });

  test('of a transfer from another shard, who got it; ops, of one posted again that its wallet can’t have', async () => {
    const [alice] = await pair('crossing');
    const from = 'ac_1_elsewhere';
    const came = await factsOf(alice, { type: 'transfer', from, to: await walletId(alice) });
    const lost = await factsOf(alice, { type: 'transfer', from, to: 'ac_0_gone' });
    const again = { kind: 'repost' as const, half: 'credit' as const, actorId: 'holdfast' };
    await post({ kind: 'receive', facts: came }, { ...again, facts: lost });
    await notify();
    expect(told()).toEqual(['crossing_a@example.com: 12.50 SGD arrived', `${OPS}: In suspense: transfer of 12.50 SGD`]);
  });

  test('nobody, of what the books refuse at once', async () => {
    const [alice, bob] = await pair('refused');
    await holdfast.transfer(alice, 'k', { from: walletOf(alice), to: walletOf(bob), amount: '999.00' });
    await post(hold({ ...(await withdrawal(alice)), amountMinor: 999_999n }));
    expect(await notify()).toMatchObject({ collected: 0 });
  });

  test('of a deposit, who got it, in the digits of its currency', async () => {
    const [alice] = await pair('deposit');
    await openAccount(shard(), alice.userId, 'JPY');
    await post({ kind: 'credit', facts: await deposit(alice, { currency: 'JPY' }) });
    await notify();
    expect(told()).toEqual(['deposit_a@example.com: 1250 JPY arrived']);
  });

  test('of a withdrawal, that the money left, or that it came back', async () => {
    const [alice] = await pair('withdrawal');
    const [paid, refused] = [await withdrawal(alice), await withdrawal(alice)];
    await post(hold(paid), hold(refused));
    expect(await notify()).toMatchObject({ collected: 0 });
    const end = { step: 'end', holdStep: 'hold' };
    await post({ kind: 'capture', facts: paid, ...end, to: house() });
    await post({ kind: 'release', facts: refused, ...end, status: 'rejected', reason: 'bank_account_closed' });
    await notify();
    expect(told()).toEqual([
      'withdrawal_a@example.com: 12.50 SGD came back to your wallet',
      'withdrawal_a@example.com: 12.50 SGD left your wallet',
    ]);
    expect(mails.received.find(({ text }) => text.includes('came back'))!.text).toContain('was rejected');
  });

  test('of a payout that is returned, that the money came back', async () => {
    const [alice] = await pair('returned');
    const linkedTo = (await withdrawal(alice)).id;
    await post({ kind: 'credit', facts: await deposit(alice, { type: 'reversal', linkedTo }) });
    await notify();
    expect(told()).toEqual(['returned_a@example.com: 12.50 SGD came back to your wallet']);
  });

  test('of money that its owner can’t have, ops and not the owner', async () => {
    const [alice] = await pair('suspense');
    await post({ kind: 'credit', facts: await deposit(alice, { to: undefined }) });
    await notify();
    expect(told()).toEqual([`${OPS}: In suspense: deposit of 12.50 SGD`]);
  });

  test('of what needs attention or awaits approval, ops, with the way to its workflow', async () => {
    const [alice] = await pair('attention');
    const [stuck, large] = [await withdrawal(alice), await withdrawal(alice)];
    const owner = `withdrawal/${stuck.id}`;
    await post(
      hold(stuck),
      { kind: 'attention', facts: stuck, owner, reason: 'bank_not_answering', lastError: 'a private error' },
      { ...hold(large), status: 'awaiting_approval' } as Command,
    );
    await notify();
    expect(told()).toEqual([
      `${OPS}: Awaits approval: withdrawal of 12.50 SGD`,
      `${OPS}: Needs attention: withdrawal of 12.50 SGD`,
    ]);
    const { body } = hooks.received.find((each) => each.body.kind === 'needs_attention')!;
    expect(body.text).toContain('bank_not_answering');
    expect(body.text).toContain(`http://temporal.example/withdrawal%2F${stuck.id}`);
    expect(body.text).not.toContain('private');
  });

  test('of an event of the bank that nobody can place, ops, once', async () => {
    const event = { kind: 'credit' as const, subject: 's', event: '{}', status: 'needs_attention' as const };
    const odd = { ...event, event_id: 'evt one\n', reason: 'unknown_currency' };
    const known = { ...event, event_id: 'evt two', reason: 'in_suspense' };
    await shard().db.insertInto('bank_inbox').values([odd, known]).execute();
    expect(await notify()).toMatchObject({ collected: 2, sent: 2 });
    expect(told()).toEqual([`${OPS}: Needs attention: an event from the bank`]);
    expect(hooks.received[0]!.body.text).toContain('unknown_currency');
    expect(await notify()).toMatchObject({ collected: 0 });
  });
});

describe('a message', () => {
  test('proves by its signature who sent it, and carries one id on every channel and try', async () => {
    const [alice] = await pair('signed');
    const facts = await deposit(alice);
    await post({ kind: 'credit', facts });
    await notify();
    const { headers, raw, body } = hooks.received[0]!;
    const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['holdfast-signature'] as string)!;
    expect(signature).toBe(createHmac('sha256', SECRET).update(`${seconds}.${raw}`).digest('hex'));
    expect(Math.abs(Date.now() / 1000 - Number(seconds))).toBeLessThan(60);
    expect(headers['idempotency-key']).toBe(body.id);
    const [email, webhook] = await rowsOf(facts.id);
    expect(body.id).toBe(webhook!.id);
    expect(mails.received[0]!.text).toContain(`Message-ID: <${email!.id}@example.com>`);
  });

  test('is kept while its server is away, and arrives once it is back', async () => {
    const [alice] = await pair('away');
    await Promise.all([hooks.goAway(), mails.goAway()]);
    const facts = await deposit(alice);
    await post({ kind: 'credit', facts });
    expect(await notify()).toMatchObject({ collected: 2, sent: 0, failed: 2 });
    expect(await rowsOf(facts.id)).toMatchObject([
      { channel: 'email', status: 'due', attempts: 1, last_error: expect.stringMatching(/did not take it/) },
      { channel: 'webhook', status: 'due', attempts: 1, last_error: expect.stringMatching(/ECONNREFUSED/) },
    ]);
    await Promise.all([hooks.comeBack(), mails.comeBack()]);
    await eventually(async () => {
      await notify();
      expect(told()).toEqual(['away_a@example.com: 12.50 SGD arrived']);
    });
    expect(await rowsOf(facts.id)).toMatchObject([{ status: 'sent' }, { status: 'sent' }]);
  });

  test('is given up, visibly, after so many attempts, and keeps no other channel waiting', async () => {
    const [alice] = await pair('given_up');
    hooks.answers = () => 500;
    const log = jest.spyOn(holdfast.notifier.log, 'error');
    const facts = await deposit(alice);
    await post({ kind: 'credit', facts });
    await eventually(async () => {
      await notify();
      expect((await rowsOf(facts.id))[1]).toMatchObject({ channel: 'webhook', status: 'given_up', attempts: 3 });
    });
    hooks.answers = () => 200;
    expect(await rowsOf(facts.id)).toMatchObject([{ status: 'sent' }, { last_error: expect.stringMatching(/500/) }]);
    expect(mails.received).toHaveLength(1);
    expect(log).toHaveBeenCalledWith(expect.objectContaining({ attempts: 3 }), 'a notification was given up');
    expect(await notify()).toMatchObject({ sent: 0, failed: 0, givenUp: 0 });
  });

  test('to an address that its mail server doesn’t know is given up at once, and the address stays sealed', async () => {
    const [alice] = await pair('nowhere');
    mails.unknown.add('nowhere_a@example.com');
    const facts = await deposit(alice);
    await post({ kind: 'credit', facts });
    expect(await notify()).toMatchObject({ givenUp: 1, sent: 1 });
    const row = (await rowsOf(facts.id))[0]!;
    expect(row).toMatchObject({ channel: 'email', status: 'given_up', attempts: 1 });
    expect(row.last_error).toMatch(/550/);
    expect(row.last_error).not.toContain('@');
  });
});

describe('collecting', () => {
  test('tells nothing twice when many do it at the same time', async () => {
    const [alice] = await pair('many');
    const commands: Command[] = [];
    for (let n = 0; n < 50; n++) commands.push({ kind: 'credit', facts: await deposit(alice) });
    for (const command of commands) await post(command);
    const counts = await Promise.all([1, 2, 3, 4].map(() => collect(shard(), holdfast.notifier.channels, () => true)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100);
    await Promise.all([notify(), notify(), notify()]);
    await eventually(async () => {
      await notify();
      expect(told()).toHaveLength(50);
    });
    expect(new Set(hooks.received.map(({ body }) => body.id as string)).size).toBe(50);
  });

  test('goes on from where it stopped, whatever had happened meanwhile', async () => {
    const [alice] = await pair('stopped');
    await holdfast.stopWorkers([TASK_QUEUE]);
    await post({ kind: 'credit', facts: await deposit(alice) });
    await post({ kind: 'credit', facts: await deposit(alice) });
    await holdfast.startWorkers([TASK_QUEUE]);
    expect(await notify()).toMatchObject({ collected: 4, sent: 4 });
  });

  test('begins at the head: what happened before anybody wanted to be told is no news', async () => {
    const [alice] = await pair('begins');
    await post({ kind: 'credit', facts: await deposit(alice) });
    await asOwner(holdfast.database, (owner) => owner.query('delete from cursors'));
    expect(await notify()).toMatchObject({ collected: 0 });
    await post({ kind: 'credit', facts: await deposit(alice) });
    expect(await notify()).toMatchObject({ collected: 2 });
  });

  test('is run by a Schedule', async () => {
    const [alice] = await pair('scheduled');
    await post({ kind: 'credit', facts: await deposit(alice) });
    await holdfast.outside.client.schedule.getHandle(NOTIFY_SCHEDULE_ID).trigger();
    await eventually(async () => expect(told()).toHaveLength(1));
  });

  test('reads one range of one index, however long the chain is', async () => {
    const { db } = shard();
    const { block: number, at } = await db.selectFrom('chain_head').selectAll().executeTakeFirstOrThrow();
    await asOwner(holdfast.database, async (owner) => {
      await owner.query(`insert into events select 1000000 + n / 10, n % 10, 'tx_0_nobody', 'held', '{}', now()
                         from generate_series(1, 50000) n`);
      await owner.query('analyze events');
    });
    const blocks = { first: { number, at }, last: { number: number + 100n, at: new Date() } };
    const query = eventsQuery(blocks, holdfast.notifier.channels);
    const { rows: lines } = await sql<{ 'QUERY PLAN': string }>`explain ${query}`.execute(db);
    const plan = lines.map((line) => line['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index Scan using events_\d{4}_\d\d_pkey on events/);
    expect(plan).not.toMatch(/Seq Scan on (events|entries)/);
  });
});

test('Temporal holds nothing of anybody that was told', async () => {
  const seen: string[] = [];
  for await (const { workflowId, runId, type } of holdfast.outside.client.workflow.list()) {
    if (type !== NOTIFY_WORKFLOW_TYPE) continue;
    const handle = holdfast.outside.client.workflow.getHandle(workflowId, runId);
    seen.push(decoded(await handle.fetchHistory()), decoded((await handle.describe()).raw));
  }
  expect(seen.length).toBeGreaterThan(20);
  expect(seen.join('\n')).toMatch(/"collected":/);
  expect(seen.join('\n')).not.toMatch(/@example|Personal Name|us_0_|tx_0_|12\.50|1250|SGD/);
});
