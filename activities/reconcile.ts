import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import type { ReconciledPart, ReconciliationPart } from '../contracts/reconciliation';
import { giveUpPart, reconcilePart, type PartPlace } from '../reconciliation';
import type { ActivityDeps } from './deps';

export function reconcileActivities({ shards, rail }: ActivityDeps) {
  const deps = { shards, rail };
  return {
    /** Goes on where an earlier attempt stopped: its heartbeats carried the place. */
    async reconcilePart(part: ReconciliationPart): Promise<ReconciledPart> {
      const from = activityInfo().heartbeatDetails as PartPlace | undefined;
      const reached = (place: PartPlace) => {
        heartbeat(place);
        cancellationSignal().throwIfAborted();
      };
      return reconcilePart(deps, part, { from, reached });
    },

    async giveUpReconciliation(part: ReconciliationPart, error: string): Promise<void> {
      await giveUpPart(deps, part, error);
    },
  };
}
