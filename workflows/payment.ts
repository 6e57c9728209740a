import {
  ActivityCancellationType,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  workflowInfo,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Activities } from '../activities';
import {
  BANK_TASK_QUEUE,
  cancelUpdate,
  newsSignal,
  type BankAnswer,
  type CancelAnswer,
  type PaymentInput,
  type Situation,
} from '../contracts/payments';
import { isFinal } from '../contracts/statuses';
import { cancelSignal, retrySignal, transferStatusQuery } from '../contracts/transfers';
import { failureType, rootMessage } from './failures';
import { Story } from './story';

type Ledger = Pick<Activities, 'takeStock' | 'endApproval' | 'askForAttention' | 'resumePayment'>;
type Bank = Pick<Activities, 'sendToBank' | 'lookUpAtBank' | 'voidAtBank'>;
type BankCall = keyof Bank;

const BANK_CALLS: Record<BankCall, string> = {
  sendToBank: 'Ask the bank to do it',
  lookUpAtBank: 'Ask the bank how it stands',
  voidAtBank: 'Ask the bank to forbid it',
};

/** An attempt may take this long before a retry that was asked for ends it. */
const HASTY_MS = 5_000;

/** On the workflow's own queue, where Temporal hands it to this worker in the answer to the task that asks for it. */
const AT_ONCE = { retry: { maximumAttempts: 1 } };
const SHARD_AWAY = 'ShardUnavailable';
/** For the bank's sake. A shard is waited for elsewhere: each attempt here is one that the bank may not be asked then. */
const PATIENTLY: ActivityOptions = {
  taskQueue: BANK_TASK_QUEUE,
  retry: { initialInterval: '500ms', maximumInterval: '10s', nonRetryableErrorTypes: [SHARD_AWAY] },
};
/** Where one worker can't reach the shard and another can, they would take turns without end. */
const SHARD_PAUSE_MS = 2_000;

/** What the books do is quick: in the workflow's own task, or patiently while their shard is away. */
const quick = proxyLocalActivities<Ledger>({
  startToCloseTimeout: '2s',
  scheduleToCloseTimeout: '2s',
  retry: { maximumAttempts: 1 },
});

/**
 * One payment, from its first step until it has ended: the loop that deposits, withdrawals and adjustments share. Each
 * turn takes stock, which books whatever the facts in Postgres allow, and does what is then next. So it does not matter
 * where an earlier run stopped, or whether one is still about: a reset, a termination and a restart all begin by
 * reading. What can't go on waits, visibly, for `retry` or `cancel`, and tries by itself at a slow beat.
 */
export class PaymentRun {
  private readonly story: Story;
  /** Something was asked for, or is new, since the turn began. */
  private isCalled = false;
  private cancelAsked: boolean;
  /** How a cancel that was asked for ended. */
  private cancelAnswer: CancelAnswer | undefined;
  private attempt: CancellationScope | undefined;
  private attemptAt = 0;
  /** The first call is on its way with the first task; what fails there takes its turn on the bank's own queue. */
  private isFirstCall: boolean;
  /** Whether Postgres knows what needs attention. */
  private isTold = false;
  /** Since when the bank has had it, by the workflow's clock. */
  private acceptedAt: number | undefined;
  private pollMs: number;
  /** When the bank is next asked how it stands; news that come meanwhile don't put it off. */
  private pollAt: number | undefined;
  /** Of the cancels that Postgres knows of, how many were heeded. */
  private cancelsHeeded = 0;

  constructor(private readonly input: PaymentInput) {
    this.story = new Story(input.id);
    this.cancelAsked = input.cancelAsked ?? false;
    this.isFirstCall = input.isNew ?? false;
    this.pollMs = input.settings.pollFirstMs;
    setHandler(transferStatusQuery, () => this.story.status);
    setHandler(newsSignal, () => void (this.isCalled = true));
    setHandler(retrySignal, () => {
      this.story.tell('retry was asked for');
      this.isCalled = true;
      if (this.pollAt !== undefined) this.pollAt = Date.now();
      // Only one that has been at it for a while: retries that come quickly must not each end the one before.
      if (Date.now() - this.attemptAt > HASTY_MS) this.attempt?.cancel();
    });
    setHandler(cancelSignal, () => this.askCancel());
    setHandler(cancelUpdate, () =>
      // The Web UI's cancel must not take the answer away from whoever waits for one.
      CancellationScope.nonCancellable(async () => {
        this.askCancel();
        await condition(() => this.cancelAnswer !== undefined);
        return this.cancelAnswer!;
      }),
    );
    // The Web UI's cancel button means the same as the signal.
    CancellationScope.current().cancelRequested.catch(() => this.askCancel());
  }

  run(): Promise<Situation> {
    return CancellationScope.nonCancellable(async () => {
      for (;;) {
        this.isCalled = false;
        const situation = await this.inTheBooks((ledger) => ledger.takeStock(this.input.id));
        if (situation) {
          for (const news of situation.news) this.story.tell(news);
          if (isFinal(situation.status)) return this.end(situation);
          this.heedCancels(situation);
          await this.adopt(situation);
          await this.turn(situation);
        }
        await this.startAfreshIfLong();
      }
    });
  }

  private async end(situation: Situation): Promise<Situation> {
    if (this.cancelAsked && situation.status === 'completed') this.story.tell('the cancel came too late');
    this.cancelAnswer = situation.status === 'completed' ? 'too_late' : 'cancelled';
    this.story.settle(situation.status, situation.reason);
    await condition(allHandlersFinished);
    return situation;
  }

  /** Whoever asked for it may not have reached this workflow: Temporal was away, or the API died in between. */
  private heedCancels({ cancels = 0 }: Situation): void {
    if (cancels > this.cancelsHeeded && !this.cancelAsked) {
      this.cancelAsked = true;
      this.story.tell('cancel was asked for');
    }
    this.cancelsHeeded = cancels;
  }

  /** Another run may have asked for a person before this one began; what it asked for may be over. */
  private async adopt({ status, reason }: Situation): Promise<void> {
    if (status === 'needs_attention' && reason !== undefined && !this.story.needsAttention) {
      this.story.needAttention(reason, 'It was so before this run began.');
      this.isTold = true;
    }
    if (this.story.status.reason === 'books_not_answering') await this.goOn();
  }

  private async turn({ next, reason, askedAt }: Situation): Promise<void> {
    if (next === 'approval') return this.waitForApproval(askedAt ?? workflowInfo().startTime.getTime());
    if (this.story.status.status === 'awaiting_approval') this.story.goOn();
    if (next === 'attention') {
      if (this.cancelAsked) this.refuseCancel('money has moved');
      return this.waitForPeople(reason ?? 'facts_unclear', 'The facts need a person.');
    }
    if (this.cancelAsked) return this.cancelAtBank();
    if (next === 'send') return this.atBank('sendToBank');
    if (next === 'void') return this.atBank('voidAtBank');
    if (next === 'settlement') return this.waitForSettlement();
  }

  /**
   * A second person's word, or its time is over. Before approval nothing can have been sent. The word is in Postgres, and
   * may not have reached this workflow: so it looks by itself, too.
   */
  private async waitForApproval(askedAt: number): Promise<void> {
    const { id, settings } = this.input;
    this.story.wait('awaiting_approval');
    const leftMs = askedAt + settings.approvalWithinMs - Date.now();
    if (!this.cancelAsked && leftMs > 0) {
      await condition(() => this.isCalled, Math.min(leftMs, settings.slowBeatMs));
      if (!this.cancelAsked) return;
    }
    const reason = this.cancelAsked ? 'cancelled_on_request' : 'approval_expired';
    await this.inTheBooks((ledger) => ledger.endApproval(id, reason));
  }

  /** Only the bank's word makes a cancel true: until it has voided the reference, the money stays where it is. */
  private async cancelAtBank(): Promise<void> {
    const answer = await this.ask('voidAtBank');
    if (!answer || answer.state === 'voided' || answer.state === 'refused' || answer.state === 'returned') return;
    this.refuseCancel(`the bank says ${answer.state}`);
  }

  private refuseCancel(why: string): void {
    this.cancelAsked = false;
    this.cancelAnswer = 'too_late';
    this.story.tell(`the cancel came too late: ${why}`);
  }

  private async atBank(call: BankCall): Promise<void> {
    await this.ask(call);
  }

  /** The bank tells by webhook; now and then it is asked, too. */
  private async waitForSettlement(): Promise<void> {
    const { settings } = this.input;
    this.acceptedAt ??= Date.now();
    this.pollAt ??= Date.now() + this.pollMs;
    const leftMs = this.pollAt - Date.now();
    if (leftMs > 0 && (await condition(() => this.isCalled, leftMs))) return;
    const isLate = Date.now() - this.acceptedAt > settings.settleWithinMs;
    // Said again while Postgres has not been told.
    if (isLate && (!this.story.needsAttention || !this.isTold)) {
      await this.needAttention('not_settled', 'The bank has taken it on and has not settled it in time.');
    }
    const ceiling = isLate ? Math.max(settings.slowBeatMs, settings.pollMaxMs) : settings.pollMaxMs;
    this.pollMs = Math.min(this.pollMs * 2, ceiling);
    await this.ask('lookUpAtBank');
    this.pollAt = Date.now() + this.pollMs;
  }

  /** One bank call with its retries; without an answer in time people are told, and it goes on at a slow beat. */
  private async ask(call: BankCall): Promise<BankAnswer | undefined> {
    const isFirst = this.isFirstCall;
    this.isFirstCall = false;
    const bank = proxyActivities<Bank>({
      startToCloseTimeout: '15s',
      scheduleToCloseTimeout: this.input.settings.attentionAfterMs,
      cancellationType: ActivityCancellationType.TRY_CANCEL,
      summary: BANK_CALLS[call],
      ...(isFirst ? AT_ONCE : PATIENTLY),
    });
    this.attempt = new CancellationScope();
    this.attemptAt = Date.now();
    try {
      const answer = await this.attempt.run(() => bank[call](this.input.id));
      this.story.tell(
        `${answer.reference.slice(answer.reference.indexOf(':') + 1)}: ${answer.state}${answer.reason ? ` (${answer.reason})` : ''}`,
      );
      if (this.story.status.reason === 'bank_not_answering') await this.goOn();
      return answer;
    } catch (error) {
      // Interrupted: what was asked for comes first, and the next turn reads the facts.
      if (this.isCalled) return undefined;
      if (isFirst) this.story.tell('the bank did not answer at once; retrying');
      else if (failureType(error) === SHARD_AWAY && patched('shard-away-elsewhere')) await this.leaveTheBank();
      else await this.waitForPeople('bank_not_answering', rootMessage(error));
      return undefined;
    } finally {
      this.attempt = undefined;
    }
  }

  /** The next turn begins with the books, and waits for them on the queue of this workflow. */
  private async leaveTheBank(): Promise<void> {
    this.story.tell('the shard did not answer: the bank is asked when it does');
    await condition(() => this.isCalled, SHARD_PAUSE_MS);
  }

  /** The books' side, at once or patiently; undefined when it couldn't be had, and people were told. */
  private async inTheBooks<T>(call: (ledger: Ledger) => Promise<T>): Promise<T | undefined> {
    try {
      return await call(quick);
    } catch {
      this.story.tell('the shard did not answer at once; retrying');
    }
    const patient = proxyActivities<Ledger>({
      startToCloseTimeout: '15s',
      scheduleToCloseTimeout: this.input.settings.attentionAfterMs,
      retry: { initialInterval: '500ms', maximumInterval: '10s' },
    });
    try {
      return await call(patient);
    } catch (error) {
      await this.waitForPeople('books_not_answering', rootMessage(error));
      return undefined;
    }
  }

  private async waitForPeople(reason: string, lastError: string): Promise<void> {
    await this.needAttention(reason, lastError);
    await condition(() => this.isCalled, this.input.settings.slowBeatMs);
  }

  private async needAttention(reason: string, lastError: string): Promise<void> {
    if (this.story.status.reason !== reason || !this.story.needsAttention) {
      this.story.needAttention(reason, lastError);
      this.isTold = false;
    }
    if (this.isTold) return;
    // Saying that something needs attention must not itself hold anything up.
    const brief = proxyActivities<Ledger>({ startToCloseTimeout: '5s', retry: { maximumAttempts: 2 } });
    try {
      await brief.askForAttention(this.input.id, reason, lastError);
      this.isTold = true;
    } catch {
      this.story.tell('Postgres could not be told; the next beat tries again');
    }
  }

  private async goOn(): Promise<void> {
    this.story.goOn();
    await quick.resumePayment(this.input.id).catch(() => undefined);
  }

  private askCancel(): void {
    this.cancelAsked = true;
    this.cancelAnswer = undefined;
    this.story.tell('cancel was asked for');
    this.interrupt();
  }

  private interrupt(): void {
    this.isCalled = true;
    this.attempt?.cancel();
  }

  /** A wait of days goes on as a new run, so that its history stays short. */
  private async startAfreshIfLong(): Promise<void> {
    if (!workflowInfo().continueAsNewSuggested) return;
    if (this.cancelAnswer === undefined && this.cancelAsked) this.cancelAnswer = 'under_way';
    await condition(allHandlersFinished);
    const { cancelAsked } = this;
    await continueAsNew<(input: PaymentInput) => Promise<Situation>>({ ...this.input, isNew: false, cancelAsked });
  }
}
