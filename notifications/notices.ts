import type { UserId } from '../contracts/ids';

/** What ops is told of … */
export const OPS_NOTICES = ['needs_attention', 'awaiting_approval', 'in_suspense', 'bank_event'] as const;
/** … and what users are told of. */
export const USER_NOTICES = ['arrived', 'left', 'came_back'] as const;
export type NoticeKind = (typeof OPS_NOTICES)[number] | (typeof USER_NOTICES)[number];

/** The events of the books that anybody is told of. */
export const OPS_EVENTS = ['needs_attention', 'awaiting_approval', 'in_suspense'] as const;
export const USER_EVENTS = ['completed', 'rejected', 'cancelled'] as const;
export type NotedEvent = (typeof OPS_EVENTS)[number] | (typeof USER_EVENTS)[number];

/** An event with what its transaction says of who is concerned; the house's wallets have no owner. */
export interface Happened {
  event: NotedEvent;
  type: string;
  reason: string | null;
  payerId: UserId | null;
  payeeId: UserId | null;
  /** Money had been held for it, and was let go. */
  released: boolean;
}

export interface Notice {
  kind: NoticeKind;
  /** Nobody in particular: ops. */
  recipientId: UserId | null;
}

/** Who is to be told what of an event. */
export function noticesOf(happened: Happened): Notice[] {
  switch (happened.event) {
    case 'completed':
      return moved(happened);
    case 'rejected':
    case 'cancelled':
      // Without a hold nothing had left, and whoever asked was answered so.
      return happened.released ? toUser('came_back', happened.payerId) : [];
    default:
      return [{ kind: happened.event, recipientId: null }];
  }
}

function moved({ type, reason, payerId, payeeId }: Happened): Notice[] {
  // The demo's first money is no news.
  if (type === 'opening') return [];
  const arrival = type === 'reversal' ? 'came_back' : 'arrived';
  return [...toUser('left', payerId), ...(reason === 'in_suspense' ? [] : toUser(arrival, payeeId))];
}

function toUser(kind: NoticeKind, recipientId: UserId | null): Notice[] {
  return recipientId === null ? [] : [{ kind, recipientId }];
}
