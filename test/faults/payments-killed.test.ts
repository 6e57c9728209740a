import pg from 'pg';
import { shardOfId } from '../../contracts/ids';
import { transactionId } from '../../ledger/identity';
import { valueTypes } from '../../ledger/postgres';
import { askCarefully, verifiedBankAccount } from '../support/careful-client';
import { eventually } from '../support/eventually';
import type { PaymentType } from '../support/fault-rows';
import { checkPayments } from '../support/final-checks';
import { MOMENTS, VICTIMS, type Moment, type Victim } from '../support/kill-rows';
import { makePeople, type Person } from '../support/people';
import { Stack } from '../support/stack';
import { holdChain } from '../support/trouble';

interface Payment {
  id: string;
  type: PaymentType;
  moment: Moment;
  person: Person;
  key: string;
}

const TYPES: PaymentType[] = ['deposit', 'withdrawal'];
/** Long enough to get every payment to its moment before those that were accepted settle. */
const SETTLE_AFTER_MS = 5_000;
/** Twice as many as have payments, so that each of eight shards has somebody. */
const PEOPLE = 24;

let stack: Stack;
let people: Person[];
/** Of each shard. */
let books: pg.Pool[];

describe.each([2, 8])('on %i shards', (shards) => {
  beforeAll(async () => {
    stack = await Stack.start({
      shards,
      bank: { settleAfterMs: SETTLE_AFTER_MS },
      env: { HOLDFAST_BANK_POLL_FIRST_MS: '300', HOLDFAST_BANK_POLL_MAX_MS: '600' },
    });
    people = await makePeople(stack, PEOPLE);
    books = stack.appUrls.map((connectionString) => new pg.Pool({ connectionString, types: valueTypes }));
    for (const db of books) db.on('error', () => {}); // Postgres is among the killed
  });
  afterAll(async () => {
    await Promise.all((books ?? []).map((db) => db.end()));
    await stack?.stop();
  });

  /** A deposit and a withdrawal at each moment, side by side, when the process is killed. */
  test.each(VICTIMS)('%s killed at each moment of deposits and withdrawals, and started again', async (victim) => {
    const payments = TYPES.flatMap((type) => MOMENTS.map((moment) => ({ type, moment }))).map(
      (each, index): Payment => {
        const person = people[index]!;
        const key = `${victim}-${each.type}-${each.moment.name}`;
        return { ...each, person, key, id: transactionId(person.userId, key) };
      },
    );
    const letGo = await bringToTheirMoments(payments);
    await kill(victim);
    await letGo();
    await startAgain(victim);
    await stack.bankControl.setFaults([]);
    for (const each of payments) await comesTo(each, each.moment.ends);
    await checkPayments(stack);
  });
});

/** Answers how to let go of what is being posted. */
async function bringToTheirMoments(payments: Payment[]): Promise<() => Promise<void>> {
  const at = (...names: Moment['name'][]) => payments.filter(({ moment }) => names.includes(moment.name));
  await keepThere(payments);
  await Promise.all(at('unsent', 'asking', 'webhook', 'posting', 'cancel').map(begin));
  await Promise.all(at('unsent', 'asking').map((each) => requestIs(each, 'sending')));
  await Promise.all(at('cancel').map(cancelHalfway));
  await Promise.all(at('webhook', 'posting').map(settledUnheard));
  await Promise.all(at('accepted').map(begin));
  await Promise.all(at('accepted').map((each) => requestIs(each, 'accepted')));
  const letGo = await holdChains();
  await keepThere(payments.filter((each) => each.moment.name !== 'posting'));
  await Promise.all(at('posting').map((each) => requestIs(each, 'settled')));
  return letGo;
}

function keepThere(payments: Payment[]): Promise<void> {
  const faults = payments.flatMap(({ id, moment }) => moment.faults.map((fault) => ({ ...fault, reference: id })));
  return stack.bankControl.setFaults(faults);
}

async function begin({ id, type, person, key }: Payment): Promise<void> {
  const { token, wallet } = person;
  const urls = stack.apis.map(({ url }) => url);
  const body = { wallet, amount: '3.00', bankAccount: await verifiedBankAccount(urls, token) };
  const headers = { 'idempotency-key': key };
  const answer = await askCarefully(urls, `/v1/${type}s`, { method: 'POST', token, body, headers });
  expect(answer).toMatchObject({ status: 202, body: { id } });
}

async function cancelHalfway(payment: Payment): Promise<void> {
  await requestIs(payment, 'accepted');
  const workflowId = `${payment.type}/${payment.id}`;
  await (await stack.client()).workflow.getHandle(workflowId).signal('cancel');
  await requestIs(payment, 'voiding');
}

async function settledUnheard(payment: Payment): Promise<void> {
  await requestIs(payment, 'accepted');
  await eventually(
    async () => {
      const asked = await stack.bankControl.requests();
      expect(asked.find(({ reference }) => reference.startsWith(payment.id))).toMatchObject({ state: 'settled' });
    },
    { withinMs: 30_000 },
  );
}

function requestIs(payment: Payment, state: string): Promise<void> {
  return eventually(
    async () => {
      const text = 'select state from bank_requests where transaction_id = $1';
      const { rows } = await booksOf(payment).query(text, [payment.id]);
      expect(rows).toEqual([{ state }]);
    },
    { withinMs: 30_000 },
  );
}

function comesTo(payment: Payment, status: string): Promise<void> {
  const { id, key } = payment;
  return eventually(
    async () => {
      const { rows } = await booksOf(payment).query('select status from transactions where id = $1', [id]);
      expect({ key, rows }).toEqual({ key, rows: [{ status }] });
    },
    { withinMs: 60_000 },
  );
}

/** Whatever is to be posted waits from now on. */
async function holdChains(): Promise<() => Promise<void>> {
  const letGo = await Promise.all(stack.ownerUrls.map((ownerUrl) => holdChain({ ownerUrl })));
  return async () => {
    for (const each of letGo) await each();
  };
}

const booksOf = ({ id }: Payment) => books[shardOfId(id)!]!;

async function kill(victim: Victim): Promise<void> {
  if (victim === 'Postgres') return stack.killPostgres();
  if (victim === 'Temporal') return stack.killTemporal();
  await processOf(victim).kill();
}

/** Resolves when all are well: a process may have ended and been started again while the victim was away. */
async function startAgain(victim: Victim): Promise<void> {
  if (victim === 'Temporal') await stack.startTemporal();
  else if (victim === 'Postgres') await stack.startPostgres();
  else await processOf(victim).start();
  await Promise.all(stack.processes.map((each) => each.healthy()));
}

function processOf(victim: 'API' | 'worker' | 'bank') {
  return { API: stack.apis[0]!, worker: stack.workers[0]!, bank: stack.bank }[victim];
}
