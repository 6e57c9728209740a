import {
  cancelSignal,
  TASK_QUEUE,
  transferWorkflowId,
  workflowTypes,
  type TransferItem,
} from '../../contracts/transfers';
import type { Outcome } from '../../ledger/commands';
import { commandHash } from '../../ledger/identity';
import { factsOf } from '../../ledger/items';
import type { transfer } from '../../workflows';
import { checkBooks } from '../support/final-checks';
import { ask } from '../support/http';
import { makeWish, requestOf, type Told, type Wish } from '../support/load';
import { livesOn, makePeople, withShards, type Person } from '../support/people';
import { Wire } from '../support/wire';
import { Stack, until } from '../support/stack';

let stack: Stack;
let wire: Wire;
let everybody: Person[];
/** Those of the first shard, which the wire leads to. */
let people: Person[];
const told = new Map<string, Told>();

beforeAll(async () => {
  stack = await Stack.start({ apis: 0, workers: 0 });
  everybody = await makePeople(stack, 8, 100_00n);
  people = everybody.filter(livesOn(0));
  wire = await Wire.to(stack.appUrls[0]!);
});
afterEach(async () => {
  wire.release();
  for (const each of stack.processes.splice(0)) await each.kill();
});
afterAll(async () => {
  await stack?.stop();
  await wire?.close();
});

const urlsThroughWire = () => stack.appUrls.map((url, shard) => (shard === 0 ? wire.urlOf(url) : url));
const throughWire = () => ({ HOLDFAST_DATABASE_URLS: urlsThroughWire().join(',') });

function itemOf({ id, person, to, amountMinor }: Wish): TransferItem {
  const facts = { type: 'transfer', from: person.wallet, to: to.wallet, currency: 'SGD', amountMinor, message: null };
  return {
    id,
    hash: commandHash(stack.secrets.HOLDFAST_COMMAND_KEY, facts),
    actor: person.userId,
    from: person.accountId,
    to: to.accountId,
    amountMinor: amountMinor.toString(),
    currency: 'SGD',
  };
}

/** A post under way on the wire, from a poster like that of any process. */
function postThroughWire(wish: Wish): Promise<Outcome[]> {
  const command = { kind: 'transfer' as const, facts: factsOf(itemOf(wish)) };
  return withShards({ appUrls: urlsThroughWire() }, (shards) => shards.shard(0).poster.post([command]));
}

/** The transfer's own workflow, which is asked to cancel before anything else. */
async function cancelByWorkflow(wish: Wish) {
  const item = itemOf(wish);
  const { workflow } = await stack.client();
  return workflow.signalWithStart<typeof transfer>(workflowTypes.transfer, {
    workflowId: transferWorkflowId(item.id),
    taskQueue: TASK_QUEUE,
    args: [{ item, settings: { attentionAfterMs: 60_000, slowBeatMs: 1_000, groupMaxAgeMs: 10_000 } }],
    signal: cancelSignal,
  });
}

test('a post that reaches Postgres only after its cancel moves nothing', async () => {
  await stack.addWorker();
  const wish = makeWish(people, 'cancelled-first');
  wire.holdFrom('toServer', 'begin isolation level');
  const posted = postThroughWire(wish);
  await wire.met();

  const workflow = await cancelByWorkflow(wish);
  expect((await workflow.result()).status).toBe('cancelled');
  wire.release();

  expect(await posted).toMatchObject([{ kind: 'transaction', status: 'cancelled', replayed: true }]);
  told.set(wish.key, { wish, status: 'cancelled' });
  await checkBooks(stack, { people: everybody, told });
});

test('a post held up between its reading and its writing loses the chain, and then finds itself cancelled', async () => {
  await stack.addWorker();
  const wish = makeWish(people, 'cancelled-between');
  wire.holdFrom('toServer', 'insert into transactions');
  const posted = postThroughWire(wish);
  await wire.met();

  const workflow = await cancelByWorkflow(wish);
  expect((await workflow.result()).status).toBe('cancelled');
  wire.release();

  expect(await posted).toMatchObject([{ kind: 'transaction', status: 'cancelled', replayed: true }]);
  told.set(wish.key, { wish, status: 'cancelled' });
  await checkBooks(stack, { people: everybody, told });
});

test('a cancel that comes after a post whose answer is still under way is too late, and says so', async () => {
  await stack.addWorker();
  const wish = makeWish(people, 'posted-first');
  wire.holdFrom('toClient', 'COMMIT\0');
  const posted = postThroughWire(wish);
  await wire.met();

  const workflow = await cancelByWorkflow(wish);
  expect((await workflow.result()).status).toBe('completed');
  expect(JSON.stringify(await workflow.query('status'))).toContain('the cancel came too late');
  wire.release();

  expect(await posted).toMatchObject([{ kind: 'transaction', status: 'completed' }]);
  told.set(wish.key, { wish, status: 'completed' });
  await checkBooks(stack, { people: everybody, told });
});

test('a commit whose answer is lost is settled by asking the books, not by posting again', async () => {
  const api = await stack.addApi(throughWire());
  for (let round = 0; round < 5; round += 1) {
    const wish = makeWish(people, `lost-commit-${round}`);
    wire.cutAt('toClient', 'COMMIT\0');
    const { token } = wish.person;
    const answer = await ask(`${api.url}/v1/transfers`, { method: 'POST', token, ...requestOf(wish) });
    await wire.met();
    expect([answer.status, answer.body.status]).toEqual([201, 'completed']);
    told.set(wish.key, { wish, status: 'completed' });
  }
  await checkBooks(stack, { people: everybody, told });
});

test('an API whose wire to Postgres goes silent still answers, and what it answered stays true', async () => {
  const api = await stack.addApi(throughWire());
  await stack.addWorker();
  const wish = makeWish(people, 'silent-wire');
  const { token } = wish.person;
  wire.holdFrom('toServer', 'begin isolation level');
  const answer = await ask(`${api.url}/v1/transfers`, { method: 'POST', token, timeoutMs: 60_000, ...requestOf(wish) });
  expect([201, 202, 503]).toContain(answer.status);
  wire.release();
  await until('it to be over', async () => {
    const again = await ask(`${api.url}/v1/transfers`, {
      method: 'POST',
      token,
      timeoutMs: 60_000,
      ...requestOf(wish),
    });
    return again.status === 201;
  });
  told.set(wish.key, { wish, status: 'completed' });
  await checkBooks(stack, { people: everybody, told });
});
