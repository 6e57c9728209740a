import type { ConnectionLike } from '@temporalio/client';

/**
 * A call to Temporal that ends within its deadline. The connection's own deadline bounds each try; while there is no
 * connection the client goes on past it by itself, so the caller stops waiting here.
 */
export async function withDeadline<T>(
  connection: ConnectionLike,
  deadlineMs: number,
  call: () => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Temporal did not answer within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([connection.withDeadline(Date.now() + deadlineMs, call), late]);
  } finally {
    clearTimeout(timer);
  }
}
