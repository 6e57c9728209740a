import fc from 'fast-check';
import type { Deployment } from './deployment';
import {
  actorOf,
  APPROVAL_FROM_MINOR,
  BANK_WEATHERS,
  hasEnded,
  isPayment,
  PEOPLE,
  type Money,
  type Movement,
  type Spending,
} from './money';

type Step = fc.AsyncCommand<Money, Deployment>;

/** Done to both, and then all that can be seen is compared. Only what `can` be done to the model as it stands is. */
function step(name: string, can: (money: Money) => boolean, does: Step['run']): Step {
  return {
    toString: () => name,
    check: can,
    async run(money, real) {
      await does(money, real);
      await real.agreesWith(money);
    },
  };
}

const always = () => true;
const person = fc.nat({ max: PEOPLE - 1 });
/** Which of those that there are. */
const nth = fc.nat({ max: 1_000 });
const pick = <T>(from: readonly T[], n: number): T => from[n % from.length]!;
/** Some are more than anybody has left, some wait for approval. */
const amount = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt({ min: 1n, max: 50_00n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 5_000_00n, max: 13_000_00n }) },
);

const nextKey = ({ movements }: Money) => `key-${movements.length}`;
const open = ({ movements }: Money) => movements.filter((each) => each.standing === 'open');
const awaiting = (money: Money) =>
  money.movements.filter((each) => each.standing === 'awaiting_approval' && money.isNear(actorOf(each)));
/** Those that a second request finds as they are. */
const ended = (money: Money) => money.movements.filter((each) => hasEnded(each) && money.canMove(each));
const refundable = (money: Money) =>
  money.movements.filter((each) => each.kind === 'transfer' && each.standing === 'completed' && money.isNear(each.to));
const stuck = (money: Money) =>
  open(money).filter((each) => isPayment(each) && !each.isCancelAsked && money.isNear(actorOf(each)));
const cancellable = (money: Money) => [...stuck(money), ...awaiting(money).filter((each) => !each.isCancelAsked)];
/** Those of which only two people can say how they end. */
const resolvable = (money: Money) => stuck(money).filter(({ waits }) => waits !== undefined);

type Sent = Spending & { kind: 'transfer' | 'refund' };

/** What goes through the lane: answered with its outcome, or refused with nothing done, while a shard is away. */
async function move(money: Money, real: Deployment, asked: Sent) {
  const movement: Movement = { ...asked, key: nextKey(money), standing: 'open' };
  const { status, body } = await real.ask(movement);
  note(money, asked, movement, { status, code: body.code, reason: body.transaction?.reason });
}

/** By itself, or as one of many. */
interface Answered {
  status: number;
  code: string | undefined;
  /** Why it was rejected. */
  reason: string | undefined;
}

function note(money: Money, asked: Sent, movement: Movement, { status, code, reason }: Answered): void {
  if (status === 503) {
    expect(money.canMove(movement)).toBe(false);
    if (code !== 'outcome_unknown') return;
    movement.standing = 'unknown';
  } else {
    expect(money.isNear(movement.from)).toBe(true);
    const refusal = money.refusal(asked);
    expect(refusal ? [422] : [201, 202]).toContain(status);
    expect(reason).toBe(refusal);
    if (refusal) movement.standing = 'rejected';
  }
  money.movements.push(movement);
}

const transfer = fc.record({ from: person, hop: fc.integer({ min: 1, max: PEOPLE - 1 }), amount }).map((chosen) => {
  const { from, hop, amount: amountMinor } = chosen;
  const to = (from + hop) % PEOPLE;
  return step(`transfer(${from} to ${to}, ${amountMinor})`, always, (money, real) =>
    move(money, real, { kind: 'transfer', from, to, amountMinor }),
  );
});

/** Answered at once, and done behind it. */
const deferred = fc.record({ from: person, hop: fc.integer({ min: 1, max: PEOPLE - 1 }), amount }).map((chosen) => {
  const { from, hop, amount: amountMinor } = chosen;
  const to = (from + hop) % PEOPLE;
  return step(
    `deferred transfer(${from} to ${to}, ${amountMinor})`,
    (money) => money.canMove({ from, to }),
    async (money, real) => {
      const movement: Movement = { kind: 'transfer', from, to, amountMinor, key: nextKey(money), standing: 'open' };
      const end = money.refusal({ from, to, amountMinor }) ? 'rejected' : 'completed';
      const { status, body } = await real.ask(movement, amountMinor, { prefer: 'respond-async' });
      expect([status, body.status]).toEqual([202, 'pending']);
      money.end(movement, await real.endOf(movement, [end]));
      money.movements.push(movement);
    },
  );
});

const BULK_MINOR = 50_00n;
const part = fc.record({
  hop: fc.integer({ min: 1, max: PEOPLE - 1 }),
  amount: fc.bigInt({ min: 1n, max: BULK_MINOR }),
});

/** To both shards at once, and in no order between the two: so only of what there is enough of. */
const bulk = fc.record({ from: person, parts: fc.array(part, { minLength: 1, maxLength: 4 }) }).map(({ from, parts }) =>
  step(
    `bulk(${from} to ${parts.map(({ hop, amount: minor }) => `${(from + hop) % PEOPLE}, ${minor}`).join('; ')})`,
    (money) => money.balances[from]! - money.held(from) >= BULK_MINOR * BigInt(parts.length),
    async (money, real) => {
      const asked = parts.map((each): Sent => {
        return { kind: 'transfer', from, to: (from + each.hop) % PEOPLE, amountMinor: each.amount };
      });
      const movements = asked.map((each, n): Movement => ({
        ...each,
        key: `${nextKey(money)}.${n}`,
        standing: 'open',
      }));
      const { status, body } = await real.bulk(movements);
      // Whether somebody may ask at all is asked of their own shard.
      if (status === 503 && !money.isNear(from)) return;
      expect([status, body.results?.length]).toEqual([207, parts.length]);
      for (const [n, movement] of movements.entries()) {
        const { status, problem, transaction } = body.results[n];
        note(money, asked[n]!, movement, { status, code: problem?.code, reason: transaction?.reason ?? undefined });
      }
    },
  ),
);

const refund = fc.record({ n: nth, share: fc.bigInt({ min: 1n, max: 4n }) }).map(({ n, share }) =>
  step(
    `refund(${n}, a part of ${share})`,
    (money) => refundable(money).length > 0,
    (money, real) => {
      const of = pick(refundable(money), n);
      const amountMinor = of.amountMinor / share || 1n;
      return move(money, real, { kind: 'refund', from: of.to!, to: of.from!, amountMinor, of });
    },
  ),
);

const deposit = fc.record({ to: person, amount }).map(({ to, amount: amountMinor }) =>
  step(
    `deposit(${to}, ${amountMinor})`,
    (money) => money.isNear(to),
    async (money, real) => {
      const movement: Movement = { kind: 'deposit', to, amountMinor, key: nextKey(money), standing: 'open' };
      const { status, body } = await real.ask(movement);
      const isRefused = money.isFrozen[to]!;
      expect({ status, code: body.code }).toEqual(
        isRefused ? { status: 422, code: 'wallet_not_open' } : { status: 202, code: undefined },
      );
      if (!isRefused) money.movements.push(movement);
    },
  ),
);

const withdrawal = fc.record({ from: person, amount }).map(({ from, amount: amountMinor }) =>
  step(
    `withdrawal(${from}, ${amountMinor})`,
    (money) => money.isNear(from),
    async (money, real) => {
      const standing = amountMinor < APPROVAL_FROM_MINOR ? 'open' : 'awaiting_approval';
      const movement: Movement = { kind: 'withdrawal', from, amountMinor, key: nextKey(money), standing };
      const { status, body } = await real.ask(movement);
      const refusal = money.refusal({ from, amountMinor });
      expect({ status, reason: body.transaction?.reason }).toEqual({ status: refusal ? 422 : 202, reason: refusal });
      if (refusal) movement.standing = 'rejected';
      money.movements.push(movement);
    },
  ),
);

const replay = nth.map((n) =>
  step(
    `replay(${n})`,
    (money) => ended(money).length > 0,
    async (money, real) => {
      const movement = pick(ended(money), n);
      const { status, headers } = await real.ask(movement);
      expect(status).toBe(movement.standing === 'completed' ? 201 : 422);
      expect(headers.get('idempotent-replayed')).toBe('true');
      const other = await real.ask(movement, movement.amountMinor + 1n);
      expect([other.status, other.body.code]).toEqual([409, 'idempotency_key_reused']);
    },
  ),
);

const cancel = nth.map((n) =>
  step(
    `cancel(${n})`,
    (money) => cancellable(money).length > 0,
    async (money, real) => {
      const movement = pick(cancellable(money), n);
      const wasAsked = movement.standing === 'open';
      if (movement.waits === 'amount_mismatch') {
        expect(await real.cancel(movement)).toMatchObject({ status: 409, body: { code: 'too_late' } });
        return;
      }
      // The bank may have it, and doesn't answer: only its word makes the cancel true.
      if (wasAsked) await real.needsAttention(movement);
      expect([200, 202]).toContain((await real.cancel(movement)).status);
      if (wasAsked) movement.isCancelAsked = true;
      else money.end(movement, await real.endOf(movement, ['cancelled']));
    },
  ),
);

const retry = nth.map((n) =>
  step(
    `retry(${n})`,
    (money) => stuck(money).length > 0,
    async (money, real) => expect((await real.retry(pick(stuck(money), n))).status).toBe(202),
  ),
);

const resolve = fc
  .record({ n: nth, outcome: fc.constantFrom('completed' as const, 'cancelled' as const) })
  .map((said) =>
    step(
      `resolve(${said.n} as ${said.outcome})`,
      (money) => resolvable(money).length > 0,
      (money, real) => settle(money, real, pick(resolvable(money), said.n), said.outcome),
    ),
  );

/** What never settled can't be said to be done. */
async function settle(money: Money, real: Deployment, movement: Movement, outcome: 'completed' | 'cancelled') {
  const said = movement.waits === 'not_settled' ? 'cancelled' : outcome;
  await real.resolve(movement, said);
  money.end(movement, await real.endOf(movement, [said]));
}

const judge = fc.record({ n: nth, what: fc.constantFrom('approve' as const, 'reject' as const) }).map(({ n, what }) =>
  step(
    `${what}(${n})`,
    (money) => awaiting(money).length > 0,
    async (money, real) => {
      const movement = pick(awaiting(money), n);
      expect([200, 202]).toContain((await real.judge(movement, what)).status);
      if (what === 'approve') movement.standing = 'open';
      else money.end(movement, await real.endOf(movement, ['cancelled']));
    },
  ),
);

const freeze = fc.record({ whose: person, isFrozen: fc.boolean() }).map(({ whose, isFrozen }) =>
  step(
    `${isFrozen ? 'freeze' : 'thaw'}(${whose})`,
    (money) => money.isNear(whose),
    async (money, real) => {
      await real.setFrozen(whose, isFrozen);
      money.isFrozen[whose] = isFrozen;
    },
  ),
);

const weather = fc.constantFrom(...BANK_WEATHERS).map((bank) =>
  step(`bank(${bank})`, always, async (money, real) => {
    await real.setWeather(bank);
    money.bank = bank;
  }),
);

const goAway = fc.constant(
  step(
    'shard 1 away',
    (money) => !money.isFarAway,
    (money, real) => {
      real.takeFarAway();
      money.isFarAway = true;
      return Promise.resolve();
    },
  ),
);

const comeBack = fc.constant(
  step(
    'shard 1 back',
    (money) => money.isFarAway,
    async (money, real) => {
      await real.bringFarBack();
      money.isFarAway = false;
    },
  ),
);

const sweep = fc.constant(
  step(
    'sweep',
    (money) => !money.isFarAway,
    (_, real) => real.sweep(),
  ),
);

/** As often as they are named; what can seldom be done costs nothing where it can't. */
export const STEPS = [
  ...[transfer, transfer, deferred, bulk, refund, deposit, withdrawal, withdrawal, replay],
  ...[cancel, cancel, judge, judge, retry, resolve, resolve, resolve],
  ...[freeze, weather, weather, goAway, comeBack, comeBack, sweep],
];

/** Everything is well again, and what nobody has judged is rejected: all ends. */
export async function quiesce(money: Money, real: Deployment): Promise<void> {
  await real.recover();
  money.bank = 'fair';
  money.isFarAway = false;
  for (const movement of awaiting(money)) {
    await real.judge(movement, 'reject');
    money.end(movement, await real.endOf(movement, ['cancelled']));
  }
  await real.agreesWith(money);
  for (const movement of resolvable(money)) await settle(money, real, movement, 'completed');
  await real.agreesWith(money);
  expect(money.movements.filter((each) => !hasEnded(each))).toEqual([]);
  await real.endsAgree(money);
}
