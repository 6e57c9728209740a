import type { ItemConflict, ItemOutcome, TransferItem } from '../../contracts/transfers';
import { here } from '../../tracing';

/** What a request learns of its transfer: the books' answer, whatever its status, or that the key means another command. */
export type LaneAnswer = ItemOutcome | ItemConflict;

/** The request could not be answered; the code is the API's, and says whether anything was sent. */
export class LaneRefusal extends Error {
  /** Which shard is not reachable. */
  readonly shard: number | undefined;

  constructor(
    readonly code: 'not_started' | 'overloaded' | 'shard_unavailable' | 'outcome_unknown',
    options: ErrorOptions & { shard?: number } = {},
  ) {
    super(code, options);
    this.shard = options.shard;
    this.name = 'LaneRefusal';
  }
}

/** One transfer on its way through the lane, and everyone in this process who waits for it. */
export class Ticket {
  readonly answer: Promise<LaneAnswer>;
  readonly bytes: number;
  readonly since = Date.now();
  /** The request it is for. */
  readonly place = here();
  /** The workflow it went with; until then it only waits here, and nothing was sent. */
  workflowId: string | undefined;
  settled = false;
  /** Past its deadline: it is being written down as pending. */
  isLate = false;
  private resolveAnswer!: (answer: LaneAnswer) => void;
  private rejectAnswer!: (error: unknown) => void;

  constructor(readonly item: TransferItem) {
    // Ids and numbers make up the rest of an item.
    this.bytes = 400 + (item.messageSealed?.length ?? 0) + (item.toNameSealed?.length ?? 0);
    this.answer = new Promise((resolve, reject) => {
      this.resolveAnswer = resolve;
      this.rejectAnswer = reject;
    });
  }

  settle(answer: LaneAnswer): void {
    this.settled = true;
    this.resolveAnswer(answer);
  }

  refuse(error: LaneRefusal): void {
    this.settled = true;
    this.rejectAnswer(error);
  }
}
