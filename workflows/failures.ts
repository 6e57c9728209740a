import { ActivityFailure, ApplicationFailure } from '@temporalio/common';

/** Around what went wrong are the activity that failed and the timeout that ended its retries. */
export function rootMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? rootMessage(error.cause) : error.message;
}

export function failureType(error: unknown): string | null | undefined {
  return error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause.type : undefined;
}
