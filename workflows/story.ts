import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { TransactionStatus } from '../contracts/statuses';
import type { TransferStatus } from '../contracts/transfers';
import { standing } from './start-options';

const HELP: Partial<Record<TransactionStatus, string>> = {
  needs_attention:
    '\n\nSend the signal `retry` to try now, or `cancel` to undo; neither needs input. What only people know, two of them resolve.',
  awaiting_approval: '\n\nA second person approves or rejects it. The signal `cancel` ends it; it needs no input.',
};

/** What people see of the workflow: the status query, and a readable timeline in its current details. */
export class Story {
  readonly status: TransferStatus;

  constructor(id: string) {
    this.status = { id, status: 'pending', since: new Date().toISOString(), timeline: [] };
    this.tell('started');
  }

  tell(what: string): void {
    this.status.timeline.push({ at: new Date().toISOString(), what });
    // A workflow may wait for days: what a person reads stays short.
    if (this.status.timeline.length > 50) this.status.timeline.splice(1, 1);
    this.show();
  }

  needAttention(reason: string, lastError: string): void {
    if (this.status.status !== 'needs_attention') this.status.since = new Date().toISOString();
    Object.assign(this.status, { status: 'needs_attention', reason, lastError });
    this.tell(`needs attention: ${reason}`);
    upsertSearchAttributes(standing('needs_attention', reason));
  }

  get needsAttention(): boolean {
    return this.status.status === 'needs_attention';
  }

  /** Waits for somebody, which is no trouble. */
  wait(status: TransactionStatus): void {
    if (this.status.status === status) return;
    this.become(status);
    this.tell(status);
    upsertSearchAttributes(standing(status));
  }

  /** It needs nobody any more. */
  goOn(): void {
    this.become('pending');
    this.tell('goes on');
    upsertSearchAttributes(standing('pending'));
  }

  settle(status: TransactionStatus, reason?: string): void {
    this.become(status, reason);
    this.tell(status);
    upsertSearchAttributes(standing(status, reason));
  }

  private become(status: TransactionStatus, reason?: string): void {
    this.status.status = status;
    this.status.since = new Date().toISOString();
    delete this.status.lastError;
    if (reason === undefined) delete this.status.reason;
    else this.status.reason = reason;
  }

  private show(): void {
    const { id, status, reason, lastError, timeline } = this.status;
    const help = HELP[status] ?? '';
    const error = lastError === undefined ? '' : `\n\n**Last error:** ${lastError}`;
    const lines = timeline.map(({ at, what }) => `- ${at} ${what}`).join('\n');
    setCurrentDetails(`**${status}**${reason ? ` (${reason})` : ''} \`${id}\`${error}${help}\n\n${lines}`);
  }
}
