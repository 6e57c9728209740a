import { formatAmount } from '../contracts/money';
import type { Message, Recipient } from './channels';
import { Undeliverable } from './channels';
import type { NoticeKind } from './notices';
import type { DueNotice } from './outbox';

export type WorkflowUrl = (workflowId: string) => string | null;

const SUBJECTS: Record<NoticeKind, (what: string, money: string) => string> = {
  needs_attention: (what) => `Needs attention: ${what}`,
  awaiting_approval: (what) => `Awaits approval: ${what}`,
  in_suspense: (what) => `In suspense: ${what}`,
  bank_event: (what) => `Needs attention: ${what}`,
  arrived: (_, money) => `${money} arrived`,
  left: (_, money) => `${money} left your wallet`,
  came_back: (_, money) => `${money} came back to your wallet`,
};

/** Short and plain, and without an account's number or anybody's name. */
export function createWriter(workflowUrl: WorkflowUrl): (due: DueNotice) => Message {
  return (due) => {
    const about = aboutOf(due);
    const money = about ? `${about.amount} ${about.currency}` : '';
    const what = about ? `${about.type} of ${money}` : 'an event from the bank';
    const to = recipientOf(due);
    const subject = SUBJECTS[due.kind](what, money);
    const lines = to.audience === 'ops' ? linesForOps(due, workflowUrl) : linesForUser(due);
    return { id: due.id, kind: due.kind, to, about, subject, text: lines.join('\n'), happenedAt: due.happenedAt };
  };
}

function aboutOf({ subjectId, type, amountMinor, currency }: DueNotice): Message['about'] {
  if (type === null || amountMinor === null || currency === null) return undefined;
  return { transactionId: subjectId, type, amount: formatAmount(amountMinor, currency), currency };
}

function recipientOf({ recipientId, emailSealed }: DueNotice): Recipient {
  if (recipientId === null) return { audience: 'ops' };
  if (emailSealed === null) throw new Undeliverable('the user is not known any more');
  return { audience: 'user', userId: recipientId, emailSealed };
}

function linesForUser({ kind, type, status, subjectId, happenedAt }: DueNotice): string[] {
  const why =
    kind === 'came_back' && type !== 'reversal'
      ? [`The ${type} was ${status}.`]
      : type === 'transfer'
        ? []
        : [`This is a ${type === 'adjustment' ? 'correction by our staff' : type}.`];
  return [...why, `Transaction: ${subjectId}`, `When: ${happenedAt.toISOString()}`];
}

function linesForOps(due: DueNotice, workflowUrl: WorkflowUrl): string[] {
  const { kind, type, status, subjectId, reason, owner, happenedAt } = due;
  const url = owner === null ? null : workflowUrl(owner);
  const isPast = type !== null && kind !== 'in_suspense' && status !== kind;
  return [
    ...(reason === null || isPast ? [] : [`Reason: ${reason}`]),
    `${type === null ? 'Event' : 'Transaction'}: ${subjectId}`,
    `Since: ${happenedAt.toISOString()}`,
    ...(isPast ? [`By now it is ${status}.`] : []),
    ...(url === null ? [] : [`Workflow: ${url}`]),
    ...(type === null ? [] : [`More: holdfast ops show ${subjectId}`]),
  ];
}
