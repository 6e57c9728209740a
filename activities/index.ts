import { bankActivities } from './bank';
import { creditActivities } from './credits';
import { keyActivities } from './keys';
import type { ActivityDeps } from './deps';
import { monthsActivities } from './months';
import { paymentActivities } from './payments';
import { notifyActivities } from './notify';
import { reconcileActivities } from './reconcile';
import { snapshotActivities } from './snapshots';
import { sweepActivities } from './sweep';
import { transferActivities } from './transfers';

/** Every side effect workflows may ask for; each is safe to run again. */
export function createActivities(deps: ActivityDeps) {
  return {
    ...transferActivities(deps),
    ...paymentActivities(deps),
    ...bankActivities(deps),
    ...creditActivities(deps),
    ...sweepActivities(deps),
    ...notifyActivities(deps),
    ...reconcileActivities(deps),
    ...monthsActivities(deps),
    ...snapshotActivities(deps),
    ...keyActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
