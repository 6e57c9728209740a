import {
  ActivityCancellationType,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities';
import { isFinal } from '../contracts/statuses';
import {
  cancelSignal,
  CONFLICT,
  retrySignal,
  transferStatusQuery,
  type ItemOutcome,
  type TransferInput,
} from '../contracts/transfers';
import { failureType, rootMessage } from './failures';
import { Story } from './story';

const local = proxyLocalActivities<Activities>({
  startToCloseTimeout: '2s',
  scheduleToCloseTimeout: '2s',
  retry: { maximumAttempts: 1 },
});
/** Saying that something needs attention must not itself hold anything up. */
const brief = proxyActivities<Activities>({ startToCloseTimeout: '5s', retry: { maximumAttempts: 2 } });

/**
 * One transfer that could not go with its group. It tries until the books have answered; when that takes too long it
 * says so and waits for a person (`retry`, `cancel`), trying by itself at a slow beat. Every step re-reads the facts, so
 * a reset, or a second start after a termination, does nothing twice.
 */
export async function transfer({ item, settings, ...before }: TransferInput): Promise<ItemOutcome> {
  const story = new Story(item.id);
  /** Something was asked for since the last attempt began. */
  let isCalled = false;
  let cancelAsked = before.cancelAsked ?? false;
  let attempt: CancellationScope | undefined;
  /** What the quick attempt met: the timeout that ends the patient one's retries does not say. */
  let firstError: string | undefined;
  const askCancel = () => {
    cancelAsked = isCalled = true;
    story.tell('cancel was asked for');
    attempt?.cancel();
  };
  setHandler(transferStatusQuery, () => story.status);
  setHandler(retrySignal, () => {
    isCalled = true;
    story.tell('retry was asked for');
  });
  setHandler(cancelSignal, askCancel);
  // The Web UI's cancel button means the same as the signal.
  CancellationScope.current().cancelRequested.catch(askCancel);

  return CancellationScope.nonCancellable(async () => {
    for (;;) {
      isCalled = false;
      try {
        const outcome = cancelAsked ? await cancelNow() : await postNow();
        if (isFinal(outcome.status)) {
          if (cancelAsked && outcome.status !== 'cancelled') story.tell('the cancel came too late');
          story.settle(outcome.status, outcome.reason);
          return outcome;
        }
      } catch (error) {
        // A cancel interrupts the attempt, and is what is tried next.
        if (isCancellation(error) && cancelAsked) continue;
        // The id is another command's: this one never happened, and never will.
        if (failureType(error) === CONFLICT) throw error;
        await needAttention(error);
      }
      await condition(() => isCalled, settings.slowBeatMs);
      if (workflowInfo().continueAsNewSuggested) {
        await continueAsNew<typeof transfer>({ item, settings, cancelAsked });
      }
    }
  });

  /** The books' answer, patiently; a cancel signal ends the waiting, not what may already have been posted. */
  async function postNow(): Promise<ItemOutcome> {
    try {
      return await local.postTransfer(item);
    } catch (error) {
      firstError = rootMessage(error);
      story.tell('the shard did not answer at once; retrying');
    }
    const patient = proxyActivities<Activities>({
      startToCloseTimeout: '15s',
      scheduleToCloseTimeout: settings.attentionAfterMs,
      retry: { initialInterval: '500ms', maximumInterval: '10s' },
      cancellationType: ActivityCancellationType.TRY_CANCEL,
    });
    attempt = new CancellationScope();
    if (cancelAsked) attempt.cancel();
    return attempt.run(() => patient.postTransfer(item));
  }

  function cancelNow(): Promise<ItemOutcome> {
    firstError = undefined;
    return proxyActivities<Activities>({
      startToCloseTimeout: '15s',
      scheduleToCloseTimeout: settings.attentionAfterMs,
      retry: { initialInterval: '500ms', maximumInterval: '10s' },
    }).cancelTransfer(item);
  }

  async function needAttention(error: unknown): Promise<void> {
    const ending = rootMessage(error);
    const lastError = firstError === undefined || firstError === ending ? ending : `${firstError}; then ${ending}`;
    const reason = cancelAsked ? 'cancel_not_possible_yet' : 'books_not_answering';
    story.needAttention(reason, lastError);
    await brief.recordAttention(item, reason, lastError).catch(() => {
      story.tell('Postgres could not be told; the next beat tries again');
    });
  }
}
