import type { NoticeKind } from './notices';

export const CHANNELS = ['webhook', 'email', 'log'] as const;
export type ChannelName = (typeof CHANNELS)[number];

export type Audience = 'ops' | 'user';

/** What somebody is told, ready for any channel. */
export interface Message {
  /** Sending may repeat, so it travels with the message: the same id is the same message. */
  id: string;
  kind: NoticeKind;
  to: Recipient;
  /** Absent when it is about something that is no transaction yet. */
  about?: { transactionId: string; type: string; amount: string; currency: string };
  subject: string;
  text: string;
  happenedAt: Date;
}

/** Nobody's address is here in the clear: the channel that needs it opens it. */
export type Recipient = { audience: 'ops' } | { audience: 'user'; userId: string; emailSealed: string };

/** A way to reach people. Adding one means implementing this, and naming it above. */
export interface Channel {
  readonly name: ChannelName;
  readonly reaches: readonly Audience[];
  /** How many messages it takes at a time. */
  readonly atOnce: number;
  /** Returns once the other side has taken it; ends by itself within `SEND_WITHIN_MS`. */
  send(message: Message): Promise<void>;
  close(): void;
}

export const SEND_WITHIN_MS = 20_000;

/** It never will be delivered, so there is no use in trying again. */
export class Undeliverable extends Error {}
