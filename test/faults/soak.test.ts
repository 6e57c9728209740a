import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { checkPayments } from '../support/final-checks';
import { makePeople, makeStaff } from '../support/people';
import { Stack, until } from '../support/stack';
import { countOf, withBooks } from '../support/stack-books';
import { differencesFromBank } from '../support/bank-books';
import { askedFor, OPEN, secondSettlements, standings, theirOwners, unended, UNREAD } from '../soak/books';
import { Customers } from '../soak/customers';
import { Ops } from '../soak/ops';
import { PEOPLE, planOf } from '../soak/plan';
import { playKills, playWeathers, setFaults } from '../soak/troubles';

const minutes = Number(process.env.HOLDFAST_SOAK_MINUTES ?? 1);
const seed = process.env.HOLDFAST_SOAK_SEED ?? randomBytes(4).toString('hex');
const again = `npm run soak -- --minutes ${minutes} --seed ${seed}`;
const SETTLING_DOWN_MS = 180_000;

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.start({
    apis: 2,
    workers: 2,
    bank: { settleAfterMs: 500 },
    env: {
      HOLDFAST_APPROVAL_FROM: 'SGD:20.00',
      HOLDFAST_BANK_POLL_FIRST_MS: '1000',
      HOLDFAST_BANK_POLL_MAX_MS: '4000',
      HOLDFAST_BANK_SETTLE_WITHIN_MS: '8000',
    },
  });
});
afterAll(() => stack?.stop());

test(
  `${minutes} minutes of everything at once lose nothing: ${again}`,
  async () => {
    say(again);
    const plan = planOf(seed, minutes * 60_000);
    const people = await makePeople(stack, PEOPLE, 500_00n);
    const customers = await Customers.open(stack, people);
    const ops = new Ops(stack, await makeStaff(stack));
    const working = ops.work();
    working.catch(() => {}); // it is waited for below

    const startedAt = Date.now();
    await Promise.all([
      customers.perform(plan.operations, startedAt),
      playWeathers(stack, plan.weathers, startedAt),
      playKills(stack, plan.kills, startedAt),
    ]);
    await setFaults(stack, [], 'over');
    // What did not end shows below, by name.
    await until('everything to end', isQuiet, SETTLING_DOWN_MS).catch((error: unknown) => say(String(error)));
    say(await withBooks(stack, standings));
    say(await withBooks(stack, unended));
    say(await withBooks(stack, async (db) => theirOwners(db, await stack.client())));
    ops.goHome();
    await working;
    say({ operations: plan.operations.length, kills: plan.kills.length, answers: customers.answers, ops: ops.done });

    expect(customers.wrongs).toEqual([]);
    expect(await withBooks(stack, askedFor)).toEqual([...new Set(customers.accepted.values())].sort());
    expect(customers.accepted.size).toBe(new Set(customers.accepted.values()).size);
    await checkPayments(stack, await withBooks(stack, secondSettlements));
  },
  minutes * 60_000 + 2 * SETTLING_DOWN_MS + 120_000,
);

/** Nothing is pending, the bank has told everything, and all that it told is acted on. */
async function isQuiet(): Promise<boolean> {
  const { bankControl: bank } = stack;
  if ((await bank.eventsWaiting()) > 0) return false;
  return withBooks(stack, async (books) => {
    if ((await countOf(books, OPEN)) + (await countOf(books, UNREAD)) > 0n) return false;
    // A payout may have yet to come back.
    const differences = await differencesFromBank(books, bank).catch(() => undefined);
    return isDeepStrictEqual(differences, await secondSettlements(books));
  });
}

function say(what: unknown): void {
  process.stderr.write(`  ${typeof what === 'string' ? what : JSON.stringify(what, null, 2)}\n`);
}
