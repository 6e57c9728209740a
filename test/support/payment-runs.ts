import { randomUUID } from 'node:crypto';
import type { BankFact } from '../../bank/rail';
import { systemAccountId } from '../../contracts/ids';
import { cancelUpdate, ownerWorkflowId, type CancelAnswer, type PaymentSettings } from '../../contracts/payments';
import type { DecisionKind, ResolvedAs, TransactionStatus } from '../../contracts/statuses';
import { transferStatusQuery } from '../../contracts/transfers';
import type { Command, FirstStatus, Outcome, TransactionFacts } from '../../ledger/commands';
import { verifyShard } from '../../ledger/verify';
import type { TestUser } from './api';
import { BANK_SECRET } from './bank';
import { eventually } from './eventually';
import type { TestHoldfast } from './holdfast';
import { deliver, factEvent } from './payments';

export type AtBank = 'deposit' | 'withdrawal';

export const referenceOf = ({ id, type }: TransactionFacts, attempt = 1) =>
  `${id}:${type === 'deposit' ? 'collect' : 'payout'}:${attempt}`;

/** Payments as the API begins and decides them, at the books and at Temporal themselves. */
export class Payments {
  constructor(private readonly holdfast: TestHoldfast) {}

  async begin(
    type: AtBank,
    user: TestUser,
    amountMinor: bigint,
    { status = 'pending', number, start = true }: { status?: FirstStatus; number?: string; start?: boolean } = {},
  ): Promise<TransactionFacts> {
    const account = await this.accountOf(user);
    const house = systemAccountId(0, '@bank', 'SGD');
    const facts: TransactionFacts = {
      ...this.newFacts(type, user.userId, user, amountMinor),
      from: type === 'deposit' ? house : account,
      to: type === 'deposit' ? account : house,
      bankAccountId: await this.bankAccount(user, number === undefined ? {} : { number }),
    };
    const owner = ownerWorkflowId(type, facts.id);
    if (type === 'deposit') await this.open({ kind: 'pend', facts, owner, status });
    else await this.open({ kind: 'hold', facts, owner, status, step: 'hold' });
    if (start) await this.holdfast.owners.start(this.started(facts, status));
    return facts;
  }

  /** Those that begin meanwhile have other settings. */
  async under<T>(settings: Partial<PaymentSettings>, work: () => Promise<T>): Promise<T> {
    const before = { ...this.holdfast.payments };
    Object.assign(this.holdfast.payments, settings);
    try {
      return await work();
    } finally {
      Object.assign(this.holdfast.payments, before);
    }
  }

  /** Staff gives a customer money out of `@suspense`; it waits for a second person. */
  async adjust(staff: TestUser, user: TestUser, amountMinor: bigint): Promise<TransactionFacts> {
    const facts: TransactionFacts = {
      ...this.newFacts('adjustment', staff.userId, user, amountMinor),
      from: systemAccountId(0, '@suspense', 'SGD'),
      to: await this.accountOf(user),
    };
    const status = 'awaiting_approval';
    await this.open({ kind: 'pend', facts, owner: ownerWorkflowId('adjustment', facts.id), status });
    await this.holdfast.owners.start(this.started(facts, status));
    return facts;
  }

  /** Writes a person's word into the books, and tells the workflow. */
  async decide(
    facts: TransactionFacts,
    { userId }: TestUser,
    decision: DecisionKind,
    outcome?: ResolvedAs,
  ): Promise<Outcome> {
    const [answer] = await this.db.poster.post([
      {
        kind: 'decision',
        id: `de_0_${randomUUID()}`,
        transactionId: facts.id,
        decision,
        actorId: userId,
        role: 'ops',
        ...(outcome && { outcome }),
      },
    ]);
    await this.news(facts);
    return answer!;
  }

  /** Two people resolve it. */
  async resolve(facts: TransactionFacts, [one, other]: [TestUser, TestUser], outcome: ResolvedAs): Promise<void> {
    expect(await this.decide(facts, one, 'resolve', outcome)).toMatchObject({ state: 'proposed' });
    expect(await this.decide(facts, other, 'resolve', outcome)).toMatchObject({ state: 'final' });
  }

  /** As the bank tells it, by webhook. Answers the event's id. */
  async tell(fact: BankFact): Promise<string> {
    const eventId = `ev_${randomUUID()}`;
    const { status } = await deliver(this.holdfast.api, [factEvent(eventId, fact)], BANK_SECRET);
    expect(status).toBeLessThan(300);
    return eventId;
  }

  inboxItem(eventId: string) {
    return this.db.db
      .selectFrom('bank_inbox')
      .select(['status', 'reason'])
      .where('event_id', '=', eventId)
      .executeTakeFirstOrThrow();
  }

  news(facts: TransactionFacts): Promise<boolean> {
    return this.holdfast.owners.news(this.started(facts));
  }

  cancel(facts: TransactionFacts): Promise<CancelAnswer> {
    return this.holdfast.owners.cancel(this.started(facts));
  }

  /** The update alone: unlike `cancel`, it doesn't start what isn't running. */
  updateCancel(facts: TransactionFacts): Promise<CancelAnswer> {
    return this.handleOf(facts).executeUpdate(cancelUpdate);
  }

  /** The workflow, as a person at the Web UI has it. */
  handleOf({ type, id }: Pick<TransactionFacts, 'type' | 'id'>) {
    return this.holdfast.outside.client.workflow.getHandle(ownerWorkflowId(type, id));
  }

  statusOf(facts: TransactionFacts) {
    return this.handleOf(facts).query(transferStatusQuery);
  }

  /** Waits until the workflow has nothing to do, until it asks the bank again. */
  async isAtRest(payment: Pick<TransactionFacts, 'type' | 'id'>): Promise<void> {
    const rests = async () => {
      const { events } = await this.handleOf(payment).fetchHistory();
      expect(events!.at(-1)!.timerStartedEventAttributes).toBeTruthy();
    };
    await eventually(rests, { withinMs: 30_000 });
  }

  /** Waits until the books say so. */
  becomes({ id }: TransactionFacts, status: TransactionStatus, reason?: string | null) {
    return eventually(
      async () => {
        const row = await this.holdfast.row(id);
        expect(row).toMatchObject({ status, ...(reason !== undefined && { reason }) });
        return row!;
      },
      { withinMs: 20_000 },
    );
  }

  /** Waits until the workflow has ended, and says how. */
  ended(facts: TransactionFacts): Promise<{ status: TransactionStatus; reason?: string }> {
    return this.handleOf(facts).result() as Promise<{ status: TransactionStatus; reason?: string }>;
  }

  async request({ id }: TransactionFacts) {
    const { db } = this.db;
    const all = db.selectFrom('bank_requests').selectAll().where('transaction_id', '=', id);
    return all.orderBy('attempt', 'desc').executeTakeFirst();
  }

  async balanceOf(accountId: string): Promise<bigint> {
    const { db } = this.db;
    const row = db.selectFrom('accounts').select('balance').where('id', '=', accountId);
    return (await row.executeTakeFirstOrThrow()).balance;
  }

  house(wallet: '@bank' | '@suspense'): Promise<bigint> {
    return this.balanceOf(systemAccountId(0, wallet, 'SGD'));
  }

  /** Nothing is held by anybody, and every block is what it was. */
  async areWhole(): Promise<void> {
    const { db } = this.db;
    expect((await verifyShard(db)).findings).toEqual([]);
    expect(await db.selectFrom('accounts').select('id').where('held', '<>', 0n).execute()).toEqual([]);
    expect(await db.selectFrom('holds').select('step').where('status', '=', 'held').execute()).toEqual([]);
  }

  started({ id, type, currency, amountMinor }: TransactionFacts, status: TransactionStatus = 'pending') {
    return { id, type, status, currency, amountMinor: amountMinor.toString() };
  }

  async bankAccount(
    user: TestUser,
    { number = '12345678', status = 'verified' }: { number?: string; status?: 'verified' | 'unverified' } = {},
  ): Promise<string> {
    const id = `ba_0_${randomUUID().replaceAll('-', '')}`;
    const sealed = await this.holdfast.api.sealBankAccount(user, id, { holder: 'Personal Name', number });
    await this.db.db
      .insertInto('bank_accounts')
      .values({
        ...{ id, owner_id: user.userId, bank_code: 'TESTSGSG', details_sealed: sealed, fingerprint: id },
        ...{ masked_number: `****${number.slice(-4)}`, status },
      })
      .execute();
    return id;
  }

  private newFacts(type: TransactionFacts['type'], actorId: string, user: TestUser, amountMinor: bigint) {
    const key = randomUUID();
    return { id: this.holdfast.idOf(user, key), type, actorId, hash: key, amountMinor, currency: 'SGD' };
  }

  private async open(command: Command & { status?: FirstStatus }): Promise<void> {
    const [outcome] = await this.db.poster.post([command]);
    expect(outcome).toMatchObject({ kind: 'transaction', status: command.status });
  }

  private async accountOf({ username }: TestUser): Promise<string> {
    return (await this.holdfast.api.deps.names.resolve({ username, currency: 'SGD' }))!.accountId;
  }

  private get db() {
    return this.holdfast.shards.shard(0);
  }
}
