import { randomUUID } from 'node:crypto';
import { askCarefully, verifiedBankAccount } from '../support/careful-client';
import { eventually } from '../support/eventually';
import { checkBooks, checkPayments } from '../support/final-checks';
import { ask, type HttpAnswer } from '../support/http';
import { Load, makeWish, makeWishes, requestOf, type Told } from '../support/load';
import { livesOn, makePeople, type Person } from '../support/people';
import type { PostgresServer } from '../support/postgres-server';
import { report } from '../support/report';
import { Stack } from '../support/stack';

interface Way {
  what: string;
  take(server: PostgresServer): void | Promise<void>;
  giveBack(server: PostgresServer): void | Promise<void>;
}

const WAYS: Way[] = [
  { what: 'killed', take: (server) => server.kill(), giveBack: (server) => server.start() },
  { what: 'frozen', take: (server) => server.freeze(), giveBack: (server) => server.thaw() },
];

interface Payer {
  person: Person;
  bankAccount: string;
}

const PAYERS_OF_EACH = 6;

let stack: Stack;
let url: string;
let people: Person[];
let movers: Person[];
let payers: Payer[];
const loads: Load[] = [];
const told = new Map<string, Told>();

beforeAll(async () => {
  // Polls are rare, so that payments live of what the bank tells.
  const env = { HOLDFAST_BANK_POLL_FIRST_MS: '60000', HOLDFAST_BANK_POLL_MAX_MS: '60000' };
  stack = await Stack.start({ servers: 2, bank: { settleAfterMs: 2_000 }, env });
  url = stack.apis[0]!.url;
  people = await makePeople(stack, 72);
  const paying = [0, 1].flatMap((shard) => people.filter(livesOn(shard)).slice(0, PAYERS_OF_EACH));
  movers = people.filter((person) => !paying.includes(person));
  payers = await Promise.all(
    paying.map(async (person) => ({ person, bankAccount: await verifiedBankAccount([url], person.token) })),
  );
});
afterEach(() => {
  stack.servers[1]!.thaw();
});
afterAll(() => stack?.stop());

const load = (name: string, of: Person[], count: number, clients: number): Load => {
  const made = new Load({ wishes: makeWishes(of, count, of, name), urls: [url], clients });
  loads.push(made);
  return made;
};
const near = livesOn(0);
const far = livesOn(1);

/** In and out again: what they have in the end is what they had. */
async function pay({ person: { wallet, token }, bankAccount }: Payer): Promise<string[]> {
  const body = { wallet, amount: '3.00', bankAccount };
  const answers = await Promise.all(
    ['deposits', 'withdrawals'].map((kind) => {
      const headers = { 'idempotency-key': randomUUID() };
      return askCarefully([url], `/v1/${kind}`, { method: 'POST', token, body, headers });
    }),
  );
  expect(answers.map(({ status }) => status)).toEqual([202, 202]);
  return answers.map((answer) => answer.body.id as string);
}

function completes({ person: { token } }: Payer, id: string): Promise<void> {
  return eventually(
    async () => {
      const { body } = await ask(`${url}/v1/transactions/${id}`, { token });
      expect(body).toMatchObject({ id, status: 'completed' });
    },
    { withinMs: 60_000 },
  );
}

const shard1 = { status: 503, body: { code: 'shard_unavailable', detail: 'Shard 1 is not reachable.' } };

/** Whatever they ask for. */
async function isRefusedByName({ person: { token, wallet }, bankAccount }: Payer, to: Person): Promise<void> {
  const post = (path: string, body: object): Promise<HttpAnswer> =>
    ask(`${url}${path}`, { method: 'POST', token, body, headers: { 'idempotency-key': randomUUID() } });
  for (const answer of await Promise.all([
    ask(`${url}/v1/wallets/${wallet}`, { token }),
    post('/v1/transfers', { from: wallet, to: to.wallet, amount: '1.00' }),
    post('/v1/deposits', { wallet, amount: '1.00', bankAccount }),
    post('/v1/withdrawals', { wallet, amount: '1.00', bankAccount }),
  ])) {
    expect(answer).toMatchObject(shard1);
  }
}

/** A bulk request to both shards: what can be done is. */
async function bulkIsDoneInPart(from: Person, there: Person, away: Person): Promise<void> {
  const wishes = [there, away, there].map((to) => makeWish([from], randomUUID(), [to]));
  const transfers = wishes.map((wish) => ({ idempotencyKey: wish.key, ...requestOf(wish).body }));
  const { body } = await ask(`${url}/v1/transfers/bulk`, { method: 'POST', token: from.token, body: { transfers } });
  const results = body.results as { status: number; problem?: object }[];
  expect(results.map(({ status }) => status)).toEqual([201, 503, 201]);
  expect(results[1]!.problem).toMatchObject(shard1.body);
  for (const wish of [wishes[0]!, wishes[2]!]) told.set(wish.key, { wish, status: 'completed' });
}

test.each(WAYS)(
  'with a shard $what under load only its own users are refused, by its name',
  async ({ what, take, giveBack }) => {
    const [server] = stack.servers.slice(1) as [PostgresServer];
    const nearPayers = payers.filter(({ person }) => near(person));
    const farPayers = payers.filter(({ person }) => far(person));
    const away = load(`away-${what}`, movers.filter(far), 1_000, 48);
    const across = load(`across-${what}`, movers, 500, 24);
    const running = Promise.all([away, across].map((each) => each.run()));
    await away.reached(100);
    // Accepted there, to be settled while nobody can be told.
    const begun = await Promise.all(farPayers.map(pay));

    await take(server);
    await away.met('503 shard_unavailable');
    const meanwhile = load(`meanwhile-${what}`, movers.filter(near), 800, 48);
    const working = meanwhile.run();
    for (let round = 0; round < 2; round += 1) {
      for (const payer of nearPayers) for (const id of await pay(payer)) await completes(payer, id);
    }
    const [first, other] = nearPayers as [Payer, Payer];
    await verifiedBankAccount([url], first.person.token);
    // The first to meet a server that is frozen are answered only when it is given up.
    await eventually(() => isRefusedByName(farPayers[0]!, farPayers[1]!.person), { withinMs: 60_000 });
    const ready = await ask(`${url}/readyz`);
    expect(ready).toMatchObject({ status: 200, body: { checks: { shard_0: 'ok', shard_1: 'failed' } } });
    await working;
    report(meanwhile);
    await bulkIsDoneInPart(first.person, other.person, farPayers[0]!.person);
    await bulkIsDoneInPart(other.person, first.person, farPayers[0]!.person);

    await giveBack(server);
    await running;
    for (const [index, ids] of begun.entries()) for (const id of ids) await completes(farPayers[index]!, id);
    for (const each of [away, across]) report(each);
    expect(loads.flatMap(({ wrongs }) => wrongs)).toEqual([]);
    // A Temporal that is slow on a busy machine is no shard's matter.
    const heard = Object.keys(meanwhile.answers).filter((answer) => answer.startsWith('503') || answer === 'no answer');
    expect(heard.filter((answer) => answer !== '503 not_started')).toEqual([]);
    await checkPayments(stack);
    for (const each of loads) for (const [key, one] of each.told) told.set(key, one);
    await checkBooks(stack, { people, told });
  },
);
