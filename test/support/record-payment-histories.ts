import { randomUUID } from 'node:crypto';
import { bankAccountWorkflowId, creditWorkflowId } from '../../contracts/payments';
import { RECONCILE_WORKFLOW_TYPE } from '../../contracts/reconciliation';
import { cancelSignal, retrySignal, TASK_QUEUE } from '../../contracts/transfers';
import type { TransactionFacts } from '../../ledger/commands';
import { virtualAccountOf } from '../../payments/virtual-accounts';
import type { TestUser } from './api';
import { BANK_SECRET, type TestBank } from './bank';
import { eventually } from './eventually';
import type { TestHoldfast } from './holdfast';
import { Payments, type AtBank } from './payment-runs';
import { settledFact } from './payment-scene';
import { creditEvent, deliver } from './payments';
import { historyOf } from './record-histories';
import type { Wire } from './wire';

/** As recordHistories, of what the bank takes part in. */
export class PaymentRecorder {
  private readonly payments: Payments;

  constructor(
    private readonly holdfast: TestHoldfast,
    private readonly bank: TestBank,
    private readonly staff: [TestUser, TestUser],
    private readonly user: TestUser,
    /** Between Holdfast and its shard. */
    private readonly postgres: Wire,
  ) {
    this.payments = new Payments(holdfast);
  }

  async record(): Promise<Record<string, string>> {
    return {
      ...(await this.both('deposit')),
      ...(await this.both('withdrawal')),
      'withdrawal-approved': await this.approved(),
      'withdrawal-approval-expired': await this.expired(),
      'withdrawal-resolved': await this.resolved(),
      'withdrawal-shard-away': await this.shardAway(),
      'adjustment-approved': await this.adjusted(),
      credit: await this.credited(),
      'bank-account': await this.checked(),
      reconcile: await this.reconciled(),
    };
  }

  private async both(type: AtBank): Promise<Record<string, string>> {
    return {
      [`${type}-straight-through`]: await this.straightThrough(type),
      [`${type}-by-webhook`]: await this.byWebhook(type),
      [`${type}-attention-then-retry`]: await this.attentionThenRetry(type),
      [`${type}-cancelled`]: await this.cancelled(type),
      [`${type}-refused`]: await this.refused(type),
    };
  }

  private async straightThrough(type: AtBank): Promise<string> {
    await this.bank.control.setFaults([]);
    return this.historyOf(await this.payments.begin(type, this.user, 100n));
  }

  private async byWebhook(type: AtBank): Promise<string> {
    const facts = await this.accepted(type);
    await this.payments.tell(settledFact(facts));
    return this.historyOf(facts);
  }

  private async attentionThenRetry(type: AtBank): Promise<string> {
    await this.bank.control.setFaults([{ name: 'outage' }]);
    const facts = await this.payments.begin(type, this.user, 100n);
    await this.payments.becomes(facts, 'needs_attention', 'bank_not_answering');
    await this.bank.control.setFaults([]);
    await this.payments.handleOf(facts).signal(retrySignal);
    return this.historyOf(facts);
  }

  private async cancelled(type: AtBank): Promise<string> {
    const facts = await this.accepted(type);
    await this.payments.handleOf(facts).signal(cancelSignal);
    return this.historyOf(facts);
  }

  private async refused(type: AtBank): Promise<string> {
    await this.bank.control.setFaults([{ name: 'rejected', reason: 'limit' }]);
    return this.historyOf(await this.payments.begin(type, this.user, 100n));
  }

  private async approved(): Promise<string> {
    await this.bank.control.setFaults([]);
    const facts = await this.payments.begin('withdrawal', this.user, 100n, { status: 'awaiting_approval' });
    await this.isWaiting(facts);
    await this.payments.decide(facts, this.staff[0], 'approve');
    return this.historyOf(facts);
  }

  private async expired(): Promise<string> {
    const facts = await this.payments.under({ approvalWithinMs: 200 }, () =>
      this.payments.begin('withdrawal', this.user, 100n, { status: 'awaiting_approval' }),
    );
    return this.historyOf(facts);
  }

  private async resolved(): Promise<string> {
    await this.bank.control.setFaults([{ name: 'amount_mismatch' }]);
    const facts = await this.payments.begin('withdrawal', this.user, 100n);
    await this.payments.becomes(facts, 'needs_attention', 'amount_mismatch');
    await this.payments.resolve(facts, this.staff, 'completed');
    return this.historyOf(facts);
  }

  /** When it is to ask the bank how it stands. */
  private async shardAway(): Promise<string> {
    const patience = { attentionAfterMs: 60_000, pollFirstMs: 3_000 };
    const facts = await this.payments.under(patience, () => this.accepted('withdrawal'));
    await this.payments.isAtRest(facts);
    this.postgres.goAway();
    const isLeft = async () => {
      const { timeline } = await this.payments.statusOf(facts);
      expect(timeline).toContainEqual(expect.objectContaining({ what: expect.stringContaining('the bank is asked') }));
    };
    await eventually(isLeft, { withinMs: 30_000 });
    this.postgres.comeBack();
    await eventually(() => this.payments.tell(settledFact(facts)), { withinMs: 30_000 });
    return this.historyOf(facts);
  }

  private async adjusted(): Promise<string> {
    const facts = await this.payments.adjust(this.staff[0], this.user, 100n);
    await this.isWaiting(facts);
    await this.payments.decide(facts, this.staff[1], 'approve');
    return this.historyOf(facts);
  }

  private async credited(): Promise<string> {
    const { api, shards, owners } = this.holdfast;
    const { username } = this.user;
    const wallet = (await api.deps.names.resolve({ username, currency: 'SGD' }))!;
    const virtualAccount = await virtualAccountOf(shards.shard(0), wallet.accountId);
    const creditId = `cr_${randomUUID()}`;
    const credit = { creditId, virtualAccount, amountMinor: 100n, currency: 'SGD', payer: 'Personal Name' };
    await deliver(api, [creditEvent(`ev_${creditId}`, credit)], BANK_SECRET);
    await owners.credit(0, `ev_${creditId}`, creditId);
    return historyOf(this.holdfast, creditWorkflowId(creditId));
  }

  private async checked(): Promise<string> {
    await this.bank.control.setFaults([]);
    const id = await this.payments.bankAccount(this.user, { status: 'unverified' });
    await this.holdfast.owners.checkBankAccount(id, 5_000);
    return historyOf(this.holdfast, bankAccountWorkflowId(id));
  }

  private async reconciled(): Promise<string> {
    const workflowId = `reconcile-${randomUUID()}`;
    const args = [{ shards: 1, youngMs: 0 }];
    await this.holdfast.outside.client.workflow.start(RECONCILE_WORKFLOW_TYPE, {
      workflowId,
      taskQueue: TASK_QUEUE,
      args,
    });
    return historyOf(this.holdfast, workflowId);
  }

  private async accepted(type: AtBank): Promise<TransactionFacts> {
    await this.bank.control.setFaults([{ name: 'never_settles' }]);
    const facts = await this.payments.begin(type, this.user, 100n);
    await eventually(async () => expect(await this.payments.request(facts)).toMatchObject({ state: 'accepted' }));
    return facts;
  }

  private isWaiting(facts: TransactionFacts): Promise<void> {
    return eventually(async () =>
      expect(await this.payments.statusOf(facts)).toMatchObject({ status: 'awaiting_approval' }),
    );
  }

  private historyOf(facts: TransactionFacts): Promise<string> {
    return historyOf(this.holdfast, this.payments.handleOf(facts).workflowId);
  }
}
