import type { PayloadCodec } from '@temporalio/common';
import type { Logger } from 'pino';
import type { Rail } from '../bank/rail';
import type { DefaultLimits } from '../contracts/limits';
import type { Names } from '../ledger/names';
import type { Sealer } from '../ledger/seal';
import type { Shards } from '../ledger/shards';
import type { Owners } from '../worker/owners';
import type { Callers } from './callers';
import type { Lanes } from './lane';
import type { LogInGuard } from './log-in-guard';
import type { RateLimits } from './rate-limits';
import type { Tokens } from './tokens';
import type { Unproven } from './unproven';

/** Everything the API needs of the rest; cli/ puts it together. */
export interface ApiDeps {
  shards: Shards;
  names: Names;
  sealer: Sealer;
  tokens: Tokens;
  callers: Callers;
  /** How long a session may be refreshed. */
  sessionTtlSeconds: number;
  rates: RateLimits;
  logInGuard: LogInGuard;
  unproven: Unproven;
  /** Whose word for where a request comes from is believed, as Express has it: how many proxies, or which; false: nobody said. */
  trustProxy: false | number | string[];
  log: Logger;
  lanes: Lanes;
  /** The workflows that own payments. */
  owners: Owners;
  rail: Pick<Rail, 'readWebhook'>;
  /** Opens payloads for the Web UI at this address; absent where no keys for them are given. */
  codec?: (Pick<PayloadCodec, 'decode'> & { uiUrl: string | undefined }) | undefined;
  /** By currency: a withdrawal of this much or more, in minor units, waits for a second person. */
  approvalFrom: ReadonlyMap<string, bigint>;
  /** Of every wallet to which staff gave none. */
  defaultLimits: DefaultLimits;
  /** The page of a workflow in the Temporal Web UI, where that is configured. */
  workflowUrl: (workflowId: string) => string | null;
  /** What is younger than this, a reconciliation with the bank leaves alone. */
  reconcileYoungMs: number;
  /** Under which commands are hashed; it never rotates. */
  commandKey: string;
  /** For /readyz, besides the shards: what it can't do without, by name; what throws isn't ready. */
  checks: Record<string, () => Promise<void>>;
  isStopping: () => boolean;
  /** A request that takes longer is told of, unless it asked to wait. */
  slowRequestMs: number;
  /** How long a transfer may take before it is answered 202. */
  deadlineMs: number;
}
