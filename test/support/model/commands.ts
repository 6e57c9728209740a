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
const cancellable = (money: Money) =>
  [...open(money).filter(isPayment), ...awaiting(money)].filter(
    (each) => !each.isCancelAsked && money.isNear(actorOf(each)),
  );

/** What goes through the lane: answered with its outcome, or refused with nothing done, while a shard is away. */
async function move(money: Money, real: Deployment, asked: Spending & { kind: 'transfer' | 'refund' }) {
  const movement: Movement = { ...asked, key: nextKey(money), standing: 'open' };
  const { status, body } = await real.ask(movement);
  if (status === 503) {
    expect(money.canMove(movement)).toBe(false);
    if (body.code !== 'outcome_unknown') return;
    movement.standing = 'unknown';
  } else {
    expect(money.isNear(movement.from)).toBe(true);
    const refusal = money.refusal(asked);
    expect(refusal ? [422] : [201, 202]).toContain(status);
    expect(body.transaction?.reason).toBe(refusal);
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
      // The bank may have it, and doesn't answer: only its word makes the cancel true.
      if (wasAsked) await real.needsAttention(movement);
      expect([200, 202]).toContain((await real.cancel(movement)).status);
      if (wasAsked) movement.isCancelAsked = true;
      else money.end(movement, await real.endOf(movement, ['cancelled']));
    },
  ),
);

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

/** As often as they are named. */
export const STEPS = [
  ...[transfer, transfer, transfer, refund, deposit, withdrawal, withdrawal, replay, cancel, judge],
  ...[freeze, weather, goAway, comeBack, comeBack, sweep],
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
  expect(money.movements.filter((each) => !hasEnded(each))).toEqual([]);
  await real.endsAgree(money);
}
