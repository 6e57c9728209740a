import { sleep } from '@temporalio/workflow';
import * as current from '../../workflows';

/** The workflows as a careless change would leave them: each does something first that no history knows. */
export async function transferGroup(...args: Parameters<typeof current.transferGroup>) {
  await sleep(1);
  return current.transferGroup(...args);
}

export async function transfer(...args: Parameters<typeof current.transfer>) {
  await sleep(1);
  return current.transfer(...args);
}

export async function sweep(...args: Parameters<typeof current.sweep>) {
  await sleep(1);
  return current.sweep(...args);
}

export async function notify(...args: Parameters<typeof current.notify>) {
  await sleep(1);
  return current.notify(...args);
}
