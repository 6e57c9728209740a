/** What the writing of snapshots, its workflow and its activity say to each other: shards and numbers. */

export interface SnapshotsInput {
  shards: number;
}

export interface SnapshotsOfShard {
  shard: number;
  /** At which there is a new one: no block when nothing was posted since the last, several when it was late for long. */
  blocks: string[];
  error?: string;
}

export const SNAPSHOTS_WORKFLOW_TYPE = 'writeSnapshots';
export const SNAPSHOTS_SCHEDULE_ID = 'holdfast-snapshots';
