import { randomUUID } from 'node:crypto';
import { decide, type DecideOptions } from '../../cli/ops/decide';
import { OpsClient } from '../../cli/ops/client';
import type { Screen } from '../../cli/ops/screen';
import type { TestUser } from '../support/api';
import { TestBank } from '../support/bank';
import { holdfast as command } from '../support/command';
import { eventually } from '../support/eventually';
import { TestHoldfast, walletOf } from '../support/holdfast';

let bank: TestBank;
let holdfast: TestHoldfast;
let alice: TestUser;
let olivia: TestUser;
let oscar: TestUser;

beforeAll(async () => {
  bank = await TestBank.start();
  holdfast = await TestHoldfast.start({
    rail: bank.hastyRail(2_000),
    payments: { attentionAfterMs: 3_000, pollFirstMs: 200, pollMaxMs: 500 },
  });
  [alice] = await holdfast.pair('ops_test', '90000.00');
  olivia = await holdfast.api.newUser('olivia', { roles: ['ops'] });
  oscar = await holdfast.api.newUser('oscar', { roles: ['ops'] });
});
afterAll(async () => {
  await holdfast.close();
  await bank.close();
});
beforeEach(() => bank.control.setFaults([]));

const ops = (who: TestUser, ...args: string[]) =>
  command(['ops', ...args], { HOLDFAST_URL: holdfast.api.url, HOLDFAST_TOKEN: who.token });

let bankAccount: string;
async function withdraw(amount: string): Promise<string> {
  bankAccount ??= await verifiedBankAccount(alice);
  const { status, body } = await holdfast.api.post(
    '/v1/withdrawals',
    { wallet: walletOf(alice), amount, bankAccount },
    alice.token,
    { 'idempotency-key': randomUUID() },
  );
  expect(status).toBe(202);
  return body.id as string;
}

async function verifiedBankAccount(user: TestUser): Promise<string> {
  const id = `ba_0_${randomUUID().replaceAll('-', '')}`;
  const details = await holdfast.api.sealBankAccount(user, id, { holder: 'A Holder', number: '12345678' });
  const row = { id, owner_id: user.userId, bank_code: 'TESTSGSG', details_sealed: details, fingerprint: id };
  const { db } = holdfast.shards.shard(0);
  await db
    .insertInto('bank_accounts')
    .values({ ...row, masked_number: '****5678', status: 'verified' })
    .execute();
  return id;
}

/** So many withdrawals that an outage of the bank leaves waiting for people. */
async function outage(count: number): Promise<string[]> {
  await bank.control.setFaults([{ name: 'outage' }]);
  const ids = await Promise.all(Array.from({ length: count }, () => withdraw('1.00')));
  for (const id of ids) await holdfast.becomes(alice, id, 'needs_attention', 20_000);
  return ids;
}

const FILTER = ['--reason', 'bank_not_answering', '--type', 'withdrawal'];

test('what an outage left behind is listed, and tried again all at once', async () => {
  const ids = await outage(12);
  const listed = await ops(olivia, 'list', ...FILTER);
  expect(listed.code).toBe(0);
  const lines = listed.out.trim().split('\n');
  expect(lines[0]).toMatch(/^ID +TYPE +STATUS +AMOUNT +FROM +TO +REASON +SINCE$/);
  expect(lines).toHaveLength(13);
  for (const id of ids) expect(listed.out).toContain(id);
  expect((await ops(olivia, 'list', '--limit', '5')).err).toContain('more than 5');
  expect(JSON.parse((await ops(olivia, 'list', '--json')).out)).toHaveLength(12);

  const unconfirmed = await ops(olivia, 'retry', ...FILTER);
  expect(unconfirmed).toMatchObject({ code: 1, out: '' });
  expect(unconfirmed.err).toMatch(/12 x withdrawal needs_attention bank_not_answering[^]*--yes/);

  await bank.control.setFaults([]);
  const retried = await ops(olivia, 'retry', ...FILTER, '--yes', '--note', 'the bank is back');
  expect(retried).toMatchObject({ code: 0, err: expect.stringMatching(/retry: 12\/12/) });
  expect(retried.out).toMatch(/COUNT +OUTCOME\n/);
  for (const id of ids) await holdfast.becomes(alice, id, 'completed', 20_000);
  expect((await ops(olivia, 'list')).out).toBe('Nothing waits for a person.\n');
  expect(await ops(olivia, 'retry', ...FILTER, '--yes')).toMatchObject({ code: 0, out: 'No transaction fits.\n' });
});

test('one is shown with its timeline, cancelled, and refused once it is too late', async () => {
  const [id] = (await outage(1)) as [string];
  await bank.control.setFaults([]);
  const shown = await ops(olivia, 'show', id);
  expect(shown.code).toBe(0);
  expect(shown.out).toMatch(/status +needs_attention/);
  expect(shown.out).toMatch(/WHEN +WHAT[^]*Z +held[^]*Z +needs_attention/);
  expect(JSON.parse((await ops(olivia, 'show', id, '--json')).out)).toMatchObject({ id, status: 'needs_attention' });

  expect(await ops(olivia, 'cancel', id)).toMatchObject({ code: 0, out: `${id}  cancelled\n` });
  const again = await ops(olivia, 'retry', id, 'tx_0_aaaaaaaaaaaaaaaaaaaaaaaaaa', '--yes', '--json');
  expect(again.code).toBe(2);
  expect(JSON.parse(again.out)).toMatchObject({ outcomes: { 'too_late: cancelled': 1, not_found: 1 } });
});

test('what awaits approval is approved or rejected by another person', async () => {
  const [approved, rejected] = [await withdraw('10000.00'), await withdraw('10000.00')];
  expect((await ops(olivia, 'list', '--status', 'awaiting_approval')).out).toContain(approved);
  expect((await ops(olivia, 'approve', approved)).code).toBe(0);
  expect((await ops(olivia, 'reject', '--all', '--yes', '--note', 'unusual')).out).toBe(`${rejected}  cancelled\n`);
  await holdfast.becomes(alice, approved, 'completed', 20_000);
});

test('how it ends takes two people who say the same', async () => {
  const [id] = (await outage(1)) as [string];
  const say = (who: TestUser) => ops(who, 'resolve', id, '--outcome', 'cancelled', '--note', 'the bank says no');
  expect(await say(olivia)).toMatchObject({ code: 0, out: expect.stringContaining('proposed') });
  expect(await say(olivia)).toMatchObject({ code: 2, out: expect.stringContaining('second_person_needed') });
  expect(await say(oscar)).toMatchObject({ code: 0 });
  await holdfast.becomes(alice, id, 'cancelled', 20_000);
});

test('what the bank told and nobody could place is listed and put away', async () => {
  const fact = { id: 'evt-1', kind: 'fact', at: new Date().toISOString(), fact: { reference: 'r', state: 'settled' } };
  const { db } = holdfast.shards.shard(0);
  const row = { event_id: 'evt-1', kind: 'fact' as const, subject: 'r', event: JSON.stringify(fact) };
  await db
    .insertInto('bank_inbox')
    .values({ ...row, status: 'needs_attention', reason: 'odd' })
    .execute();
  expect((await ops(olivia, 'inbox', 'list')).out).toMatch(/EVENT[^]*evt-1 +fact +r +odd/);
  expect(await ops(olivia, 'inbox', 'resolve', 'evt-1', '--note', 'seen')).toMatchObject({ code: 0 });
  expect((await ops(olivia, 'inbox', 'list')).out).toContain('nothing for a person');
});

test('who may not, or can’t be reached, is told in a sentence, and nothing is done', async () => {
  expect(await ops(alice, 'list')).toMatchObject({ code: 1, err: expect.stringContaining('(forbidden)') });
  expect(await ops({ ...alice, token: 'none' }, 'list')).toMatchObject({
    code: 1,
    err: expect.stringContaining('(unauthenticated)'),
  });
  expect(await ops(olivia, 'retry')).toMatchObject({ code: 1, err: expect.stringContaining('Which ones?') });
  expect(await ops(olivia, 'retry', 'tx_0_a', '--all')).toMatchObject({ code: 1 });
  const settings = { url: 'http://127.0.0.1:1', credentials: { username: 'ops', password: 'x' } };
  await expect(OpsClient.signIn(settings)).rejects.toThrow('does not answer');
});

test('a user with a password is signed in', async () => {
  const password = 'a good long password';
  const made = { username: 'carla', password, name: 'Carla', email: 'carla@example.com' };
  expect((await holdfast.api.post('/v1/users', made)).status).toBe(201);
  const signIn = (given: string) =>
    OpsClient.signIn({ url: holdfast.api.url, credentials: { username: 'carla', password: given } });
  await expect(signIn('a wrong one')).rejects.toThrow('(invalid_credentials)');
  const client = await signIn(password);
  await expect(client.get('/v1/ops/attention')).rejects.toThrow('(forbidden)');
});

describe('many are decided about only when a person agrees', () => {
  let asked: string[];
  const screen = (answer: boolean | undefined): Screen => ({
    print: () => undefined,
    note: () => undefined,
    confirm: async (question) => {
      asked.push(question);
      return answer;
    },
    progress: () => ({ at: () => undefined, end: () => undefined }),
  });
  const cancelAll = async (answer: boolean | undefined, change: Partial<DecideOptions> = {}) => {
    const client = await OpsClient.signIn({ url: holdfast.api.url, credentials: { token: olivia.token } });
    return decide(client, 'cancel', [], { all: true, atOnce: 4, ...change }, screen(answer));
  };
  beforeEach(() => (asked = []));

  test('and not otherwise', async () => {
    const ids = await outage(3);
    await bank.control.setFaults([]);
    expect(await cancelAll(false)).toBe(1);
    await expect(cancelAll(undefined)).rejects.toThrow('Nobody is there');
    for (const id of ids) await holdfast.becomes(alice, id, 'needs_attention');
    expect(await cancelAll(true)).toBe(0);
    expect(asked).toEqual(Array(3).fill('cancel 3 transactions?'));
    await eventually(async () => {
      for (const id of ids) await holdfast.becomes(alice, id, 'cancelled');
    });
  });
});
