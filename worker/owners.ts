import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type Client,
} from '@temporalio/client';
import {
  bankAccountWorkflowId,
  cancelUpdate,
  creditWorkflowId,
  newsSignal,
  ownerWorkflowId,
  PAYMENT_TASK_QUEUE,
  paymentWorkflowTypes,
  type CancelAnswer,
  type PaymentSettings,
} from '../contracts/payments';
import { retrySignal, TASK_QUEUE, transferWorkflowId } from '../contracts/transfers';
import { RECONCILE_WORKFLOW_TYPE, reconcileWorkflowId, type ReconcileInput } from '../contracts/reconciliation';
import type { Logger } from '../ledger/log';
import { paymentStartOptions, type StartedPayment } from '../workflows/start-options';
import { withDeadline } from './deadline';

const CALL_DEADLINE_MS = 2_000;
/** More would only queue in the client. */
const MOST_STARTING = 100;
/** How long a cancel may wait for its answer. */
const CANCEL_DEADLINE_MS = 10_000;
/** gRPC's number of it. */
const FAILED_PRECONDITION = 9;

/**
 * The workflows that own payments, as other processes reach them. What they act on is in Postgres already, and the sweep
 * looks after it too: so a Temporal that doesn't answer is logged, and keeps nobody from being told what is true.
 */
export class Owners {
  private readonly starting = new Set<Promise<boolean>>();

  constructor(
    private readonly client: Client,
    private readonly settings: PaymentSettings,
    private readonly log: Logger,
    /** Whether this process serves the payments' queue: it is then handed a payment's first task with its start. */
    private readonly hasWorker = true,
  ) {}

  /** Starts it, unless it runs. `isNew`: nobody can have started it before. */
  start(payment: StartedPayment, isNew = false): Promise<boolean> {
    return this.quietly('start', payment.id, async () => {
      const requestEagerStart = this.hasWorker;
      await this.client.workflow.start(payment.type, { ...this.startOptions(payment, isNew), requestEagerStart });
    });
  }

  /**
   * Starts it behind the caller, who may go on: its row is durable, and what keeps it from starting the sweep makes up for.
   * With too many under way the caller waits its turn.
   */
  async startSoon(payment: StartedPayment, isNew = false): Promise<void> {
    // The answer leaves first.
    const starting = nextTurn()
      .then(() => this.start(payment, isNew))
      .finally(() => this.starting.delete(starting));
    this.starting.add(starting);
    if (this.starting.size > MOST_STARTING) await starting;
  }

  /** Resolves when every start under way is answered. */
  async drain(): Promise<void> {
    await Promise.all(this.starting);
  }

  /** Something about it is new in Postgres. A workflow that has ended looks at it in another run. */
  news(payment: StartedPayment): Promise<boolean> {
    return this.quietly('tell', payment.id, () => this.signal(payment, newsSignal.name));
  }

  retry(payment: StartedPayment): Promise<boolean> {
    return this.quietly('retry', payment.id, () => this.signal(payment, retrySignal.name));
  }

  /** Undoes it if that is still possible, and says so; `under_way` when the answer takes longer than a person waits. */
  async cancel(payment: StartedPayment): Promise<CancelAnswer> {
    try {
      return await withDeadline(this.client.connection, CANCEL_DEADLINE_MS, () => this.askCancel(payment));
    } catch (err) {
      this.log.warn({ err, transactionId: payment.id }, 'a cancel had no answer in time');
      return 'under_way';
    }
  }

  /** A transfer's own workflow has no news to look at, only what it is told: so whether it was told matters. */
  async signalTransfer(id: string, signal: 'retry' | 'cancel'): Promise<'told' | 'gone' | 'unknown'> {
    const handle = this.client.workflow.getHandle(transferWorkflowId(id));
    try {
      await withDeadline(this.client.connection, CALL_DEADLINE_MS, () => handle.signal(signal));
      return 'told';
    } catch (err) {
      if (err instanceof WorkflowNotFoundError) return 'gone';
      this.log.warn({ err, transactionId: id }, `could not ${signal} a transfer's workflow`);
      return 'unknown';
    }
  }

  /** Returns when it has ended, or after so long. */
  async waitFor({ type, id }: StartedPayment, forMs: number): Promise<void> {
    const handle = this.client.workflow.getHandle(ownerWorkflowId(type, id));
    await withDeadline(this.client.connection, forMs, () => handle.result()).catch(() => undefined);
  }

  /** Books an incoming credit, from its event in the shard's inbox. */
  credit(shard: number, eventId: string, creditId: string): Promise<boolean> {
    return this.quietly('start', creditId, async () => {
      await this.client.workflow.start(paymentWorkflowTypes.credit, {
        workflowId: creditWorkflowId(creditId),
        taskQueue: TASK_QUEUE,
        args: [{ shard, eventId }],
        staticSummary: 'Money paid into a virtual account',
      });
    });
  }

  /** Has the bank check an account before its first use. */
  checkBankAccount(id: string, forMs: number): Promise<boolean> {
    return this.quietly('check', id, async () => {
      const workflowId = bankAccountWorkflowId(id);
      const options = { workflowId, taskQueue: TASK_QUEUE, args: [{ id }], staticSummary: 'Check a bank account' };
      await this.client.workflow.start(paymentWorkflowTypes.bankAccount, options);
      const handle = this.client.workflow.getHandle(workflowId);
      await withDeadline(this.client.connection, forMs, () => handle.result()).catch(() => undefined);
    });
  }

  /** False when Temporal did not answer: it may have started all the same, and asking again does no harm. */
  reconcile(input: ReconcileInput & { run: string }): Promise<boolean> {
    return this.quietly('start', input.run, async () => {
      await this.client.workflow.start(RECONCILE_WORKFLOW_TYPE, {
        workflowId: reconcileWorkflowId(input.run),
        taskQueue: TASK_QUEUE,
        args: [input],
        staticSummary: 'Reconciliation, asked for by a person',
      });
    });
  }

  /** News that comes while the workflow answers can make its task void, and the answer with it: then it is asked again. */
  private async askCancel(payment: StartedPayment): Promise<CancelAnswer> {
    for (let triesLeft = 5; ; triesLeft--) {
      const startWorkflowOperation = new WithStartWorkflowOperation(payment.type, {
        ...this.startOptions(payment),
        workflowIdConflictPolicy: 'USE_EXISTING',
      });
      try {
        return await this.client.workflow.executeUpdateWithStart(cancelUpdate, { startWorkflowOperation });
      } catch (error) {
        if ((error as { code?: unknown }).code !== FAILED_PRECONDITION || triesLeft === 0) throw error;
      }
    }
  }

  private async signal(payment: StartedPayment, signal: string): Promise<void> {
    await this.client.workflow.signalWithStart(payment.type, { ...this.startOptions(payment), signal, signalArgs: [] });
  }

  private startOptions(payment: StartedPayment, isNew = false) {
    return {
      ...paymentStartOptions(payment),
      workflowId: ownerWorkflowId(payment.type, payment.id),
      taskQueue: PAYMENT_TASK_QUEUE,
      args: [{ id: payment.id, settings: this.settings, isNew }],
    };
  }

  private async quietly(what: string, id: string, call: () => Promise<void>): Promise<boolean> {
    try {
      await withDeadline(this.client.connection, CALL_DEADLINE_MS, call);
      return true;
    } catch (err) {
      if (err instanceof WorkflowExecutionAlreadyStartedError) return false;
      this.log.warn({ err, transactionId: id }, `could not ${what} a workflow at once; the sweep goes on with it`);
      return false;
    }
  }
}
