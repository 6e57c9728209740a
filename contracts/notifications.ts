/** What the workflow that tells people and its activities say to each other: shards and counts, nothing of anybody. */

export interface NotifyInput {
  shards: number;
}

export interface Collected {
  /** Notices newly written down. */
  collected: number;
  /** Whether any wait to be sent. */
  due: boolean;
}

export interface Delivered {
  sent: number;
  /** Could not be sent, and will be tried again. */
  failed: number;
  givenUp: number;
}

export interface NotifiedShard extends Delivered {
  shard: number;
  collected: number;
  error?: string;
}

export const NOTIFY_WORKFLOW_TYPE = 'notify';
export const NOTIFY_SCHEDULE_ID = 'holdfast-notify';
