import { randomUUID } from 'node:crypto';
import type { NewFault } from '../../../bank/simulator/faults';
import { formatAmount } from '../../../contracts/money';
import { TASK_QUEUE, workflowTypes } from '../../../contracts/transfers';
import { verifyShard } from '../../../ledger/verify';
import type { Answer, TestUser } from '../api';
import { BANK_SECRET, TestBank } from '../bank';
import { differencesFromBank } from '../bank-books';
import { eventually } from '../eventually';
import { sumsAreConserved } from '../final-checks';
import { TestHoldfast, walletOf, type Fields } from '../holdfast';
import { addBankAccount, pay } from '../payments';
import { withBooks } from '../stack-books';
import { Wire } from '../wire';
import { actorOf, hasEnded, OPENING_MINOR, PEOPLE, type BankWeather, type Money, type Movement } from './money';

/** A machine that has other work may take long; nothing here is timed. */
const PATIENTLY = { withinMs: 40_000 };
const DEADLINE_MS = 5_000;
/** With a shard away every transfer to it comes to its deadline. */
const SHORT_DEADLINE_MS = 700;

const FAULTS: Record<BankWeather, NewFault[]> = {
  fair: [],
  outage: [{ name: 'outage' }],
  refuses: [{ name: 'rejected', reason: 'account_closed' }],
  'answers lost': [
    { name: 'answer_lost', call: 'request' },
    { name: 'lookup_lags', looks: 2 },
  ],
  'webhooks lost': [{ name: 'webhook_lost' }],
  'webhooks late and thrice': [{ name: 'webhook_duplicated' }, { name: 'webhook_out_of_order', delayMs: 300 }],
  'settles never': [{ name: 'never_settles' }],
  'settles less': [{ name: 'amount_mismatch' }],
};

/** A whole Holdfast on two shards with a bank, and what a model of it does to it and sees of it. */
export class Deployment {
  private people: TestUser[] = [];
  private bankAccounts: string[] = [];
  private runs = 0;

  private constructor(
    private readonly holdfast: TestHoldfast,
    private readonly bank: TestBank,
    private readonly far: Wire,
    /** Two, for what takes two. */
    private readonly ops: [TestUser, TestUser],
  ) {}

  static async start(): Promise<Deployment> {
    const bank = await TestBank.start({ settleAfterMs: 50 });
    let far: Wire | undefined;
    const holdfast = await TestHoldfast.start({
      shards: 2,
      patienceMs: 1_000,
      rail: bank.hastyRail(2_000),
      transfers: { groupMaxAgeMs: 1_000, attentionAfterMs: 1_000, slowBeatMs: 500 },
      payments: { attentionAfterMs: 1_000, slowBeatMs: 500, pollFirstMs: 200, pollMaxMs: 400, settleWithinMs: 1_000 },
      databaseUrl: async ({ appUrl }, shard) => {
        if (shard === 0) return appUrl;
        far = await Wire.to(appUrl);
        return far.urlOf(appUrl);
      },
    });
    await bank.stop();
    await bank.startAgain({ webhook: { url: `${holdfast.api.url}/v1/bank/webhooks`, secret: BANK_SECRET } });
    const staff = (username: string) => holdfast.api.newUser(username, { roles: ['ops'] });
    return new Deployment(holdfast, bank, far!, [await staff('model_ops'), await staff('model_other')]);
  }

  async close(): Promise<void> {
    await this.holdfast.close();
    await this.far.close();
    await this.bank.close();
  }

  /** New people, rich and thawed. */
  async begin(): Promise<void> {
    this.runs += 1;
    const opening = formatAmount(OPENING_MINOR, 'SGD');
    const make = async (_: unknown, person: number) => {
      const user = await this.holdfast.personOn(person < PEOPLE / 2 ? 0 : 1, `run${this.runs}_${person}`, opening);
      return { user, bankAccount: await addBankAccount(this.holdfast.api, user) };
    };
    const made = await Promise.all(Array.from({ length: PEOPLE }, make));
    this.people = made.map(({ user }) => user);
    this.bankAccounts = made.map(({ bankAccount }) => bankAccount);
  }

  ask(movement: Movement, amountMinor = movement.amountMinor, more: Record<string, string> = {}): Promise<Answer> {
    const { api } = this.holdfast;
    const { key, kind, of } = movement;
    const actor = actorOf(movement);
    const user = this.people[actor]!;
    const amount = formatAmount(amountMinor, 'SGD');
    if (kind === 'transfer')
      return this.holdfast.transfer(user, key, this.fieldsOf({ ...movement, amountMinor }), more);
    if (kind === 'refund') {
      const headers = { 'idempotency-key': key };
      return api.post(`/v1/transactions/${this.idOf(of!)}/refund`, { amount }, user.token, headers);
    }
    const fields = { wallet: walletOf(user), amount, bankAccount: this.bankAccounts[actor]! };
    return pay(api, user, `${kind}s`, key, fields);
  }

  /** Transfers of one person's, in one request. */
  bulk(movements: Movement[]): Promise<Answer> {
    const items = movements.map((each) => ({ idempotencyKey: each.key, ...this.fieldsOf(each) }));
    return this.holdfast.bulk(this.people[actorOf(movements[0]!)]!, items);
  }

  cancel(movement: Movement): Promise<Answer> {
    return this.decide(movement, 'cancel', this.people[actorOf(movement)]!);
  }

  judge(movement: Movement, what: 'approve' | 'reject'): Promise<Answer> {
    return this.decide(movement, what, this.ops[0]);
  }

  /** By whom it waits for. */
  async retry(movement: Movement): Promise<Answer> {
    await this.needsAttention(movement);
    return this.decide(movement, 'retry', this.ops[0]);
  }

  /** It takes two who say the same; what is being tried just then is asked about again. */
  async resolve(movement: Movement, outcome: 'completed' | 'cancelled'): Promise<void> {
    const said = { outcome, note: 'a model says so' };
    const [one, other] = this.ops;
    await eventually(async () => {
      const { headers } = await this.decide(movement, 'resolve', one, said);
      expect(headers.get('holdfast-decision')).toBe('proposed');
    }, PATIENTLY);
    const alone = await this.decide(movement, 'resolve', one, said);
    expect(alone).toMatchObject({
      status: 409,
      body: { code: expect.stringMatching(/second_person|not_in_attention/) },
    });
    await eventually(async () => {
      const { headers } = await this.decide(movement, 'resolve', other, said);
      expect(headers.get('holdfast-decision')).toBe('final');
    }, PATIENTLY);
  }

  async setFrozen(person: number, isFrozen: boolean): Promise<void> {
    const path = `/v1/ops/wallets/${walletOf(this.people[person]!)}/${isFrozen ? 'freeze' : 'unfreeze'}`;
    const { status } = await this.holdfast.api.post(path, { reason: 'a model says so' }, this.ops[0].token);
    expect(status).toBe(200);
  }

  async setWeather(weather: BankWeather): Promise<void> {
    await this.bank.control.setFaults(FAULTS[weather]);
  }

  takeFarAway(): void {
    this.holdfast.lane.deadlineMs = SHORT_DEADLINE_MS;
    this.far.goAway();
  }

  async bringFarBack(): Promise<void> {
    this.holdfast.lane.deadlineMs = DEADLINE_MS;
    this.far.comeBack();
    const { poster, check } = this.holdfast.shards.shard(1);
    await eventually(async () => {
      await poster.probe();
      expect(poster.isDown).toBe(false);
      await check();
    }, PATIENTLY);
  }

  /** For those that come after. */
  async recover(): Promise<void> {
    await this.setWeather('fair');
    await this.bringFarBack();
  }

  async sweep(): Promise<void> {
    await this.holdfast.outside.client.workflow.execute(workflowTypes.sweep, {
      workflowId: `sweep-${randomUUID()}`,
      taskQueue: TASK_QUEUE,
      args: [this.holdfast.sweepSettings().input],
    });
  }

  /** Waits for what can end by now, and then holds all that can be seen against the model. */
  async agreesWith(money: Money): Promise<void> {
    for (const movement of money.movements) {
      const ends = money.endsOf(movement);
      if (ends) money.end(movement, await this.endOf(movement, ends));
      const why = money.waitsFor(movement);
      if (why === undefined || movement.waits) continue;
      await this.needsAttention(movement, why);
      movement.waits = why;
    }
    for (const [person, user] of this.people.entries()) {
      if (money.isNear(person)) await this.walletAgrees(money, person, user);
    }
    const underWay = money.movements.filter((each) => !hasEnded(each) && each.standing !== 'unknown');
    for (const movement of underWay) if (money.isNear(actorOf(movement))) await this.standingAgrees(movement);
  }

  /** What has ended never changes: once more, at the end. */
  async endsAgree(money: Money): Promise<void> {
    for (const movement of money.movements) await this.standingAgrees(movement);
  }

  /** Of everything there ever was here. */
  async booksAreWhole(): Promise<void> {
    const appUrls = this.holdfast.databases.map(({ appUrl }) => appUrl);
    await withBooks({ appUrls }, async (books) => {
      await sumsAreConserved(books);
      expect(await differencesFromBank(books, this.bank.control)).toEqual({});
    });
    for (const { db } of this.holdfast.shards.all) expect((await verifyShard(db)).findings).toEqual([]);
  }

  /** Until it has ended, in one of these ways. */
  endOf<Ends extends string>(movement: Movement, ends: readonly Ends[]): Promise<Ends> {
    return eventually(async () => {
      // Nobody may know of it yet: asking again is how a client finds out.
      if (movement.standing === 'unknown') expect([201, 422]).toContain((await this.ask(movement)).status);
      const { status } = await this.read(movement);
      expect({ key: movement.key, ends }).toEqual({ key: movement.key, ends: expect.arrayContaining([status]) });
      return status as Ends;
    }, PATIENTLY);
  }

  /** Until people are asked what to do about it. */
  async needsAttention(movement: Movement, why = expect.any(String) as string): Promise<void> {
    await eventually(async () => {
      const { status, reason } = await this.read(movement);
      expect({ key: movement.key, status, reason }).toEqual({
        key: movement.key,
        status: 'needs_attention',
        reason: why,
      });
    }, PATIENTLY);
  }

  private async walletAgrees(money: Money, person: number, user: TestUser): Promise<void> {
    const { body } = await this.holdfast.api.get(`/v1/wallets/${walletOf(user)}`, user.token);
    const [balance, held] = [money.balances[person]!, money.held(person)];
    expect({ person, ...body }).toMatchObject({
      person,
      balance: formatAmount(balance, 'SGD'),
      held: formatAmount(held, 'SGD'),
      available: formatAmount(balance - held, 'SGD'),
      status: money.isFrozen[person] ? 'frozen' : 'open',
    });
  }

  private async standingAgrees(movement: Movement): Promise<void> {
    const { status } = await this.read(movement);
    const shown = hasEnded(movement) || movement.standing === 'awaiting_approval' ? [movement.standing] : OPEN;
    expect({ key: movement.key, shown }).toEqual({ key: movement.key, shown: expect.arrayContaining([status]) });
  }

  private read(movement: Movement) {
    return this.holdfast.read(this.people[actorOf(movement)]!, this.idOf(movement));
  }

  private decide(movement: Movement, what: string, by: TestUser, said = {}): Promise<Answer> {
    return this.holdfast.api.post(`/v1/transactions/${this.idOf(movement)}/${what}`, said, by.token);
  }

  private fieldsOf({ from, to, amountMinor }: Movement): Fields {
    const [source, target] = [this.people[from!]!, this.people[to!]!];
    return { from: walletOf(source), to: walletOf(target), amount: formatAmount(amountMinor, 'SGD') };
  }

  private idOf(movement: Movement): string {
    return this.holdfast.idOf(this.people[actorOf(movement)]!, movement.key);
  }
}

const OPEN = ['pending', 'needs_attention'];
