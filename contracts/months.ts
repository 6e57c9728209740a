/** What the making of the books' coming months, its workflow and its activity say to each other: shards and names of tables. */

export interface MonthsInput {
  shards: number;
}

export interface MonthsOfShard {
  shard: number;
  /** The tables that were missing. */
  made: string[];
  error?: string;
}

export const MONTHS_WORKFLOW_TYPE = 'prepareMonths';
export const MONTHS_SCHEDULE_ID = 'holdfast-months';
