/** What a rotation of keys, its workflow and its activity say to each other: ids, numbers and names of keys. */

export interface RotateInput {
  shards: number;
  /** Also seal everything that may change again, under a new data key for each user. */
  newDataKeys: boolean;
  /** Between two batches, so that customers come first. */
  pauseMs: number;
  /** Where the run before this one stopped. */
  from?: RotationPlace;
  done?: Rotated;
  /** Data keys of before are old. */
  since?: string;
}

/** First a shard's users, in the order of their ids, then the keys that are not wrapped by the newest. */
export interface RotationPlace {
  shard: number;
  part: 'users' | 'keys';
  after: string;
}

export interface Rotated {
  /** Rows that were sealed anew. */
  resealed: number;
  /** Data keys that are wrapped by another key now. */
  rewrapped: number;
  /** Data keys whose wrapping key is not given, and rows of a key from before there were data keys that is not. */
  locked: number;
  /** Rows and data keys that their key is given for, and does not open: they were changed, or the key was. */
  broken?: number;
  /** What was left as it is, by its id: the first so many. */
  left?: string[];
}

/** They go through Temporal, and are shown in a line. */
export const MOST_NAMED = 50;

export interface RotatedSome extends Rotated {
  /** Absent at the end of a part. */
  after?: string;
}

export const ROTATE_WORKFLOW_TYPE = 'rotateKeys';
export const ROTATE_WORKFLOW_ID = 'rotate-keys';
export const ROTATION_QUERY = 'rotation';
