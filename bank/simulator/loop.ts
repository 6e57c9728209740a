const AFTER_ERROR_MS = 300;
const LONGEST_PAUSE_MS = 1_000;

/** What a run has to say at its end. */
export interface RunEnd {
  /** In how many milliseconds something will be due. */
  nextInMs: number;
  /** It could not do all that was due when it began. */
  isBehind: boolean;
}

/** Runs a job again and again, one run at a time: when it is woken, and when it said that something would be due. */
export class Loop {
  private waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  private woken = false;
  private stopping = false;
  private endPause = () => {};
  private readonly running: Promise<void>;

  constructor(
    private readonly job: () => Promise<RunEnd>,
    private readonly onError: (error: unknown) => void,
  ) {
    this.running = this.run();
  }

  wake(): void {
    this.woken = true;
    this.endPause();
  }

  /** Resolves when all that is due now has been done. */
  caughtUp(): Promise<void> {
    if (this.stopping) return Promise.reject(new Error('The bank is stopping'));
    const done = new Promise<void>((resolve, reject) => this.waiting.push({ resolve, reject }));
    this.wake();
    return done;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    // What is under way when a stop comes is waited for, so it ends too.
    while (!this.stopping || this.waiting.length > 0) {
      this.woken = false;
      const served = this.waiting;
      this.waiting = [];
      let pauseMs: number;
      try {
        const { nextInMs, isBehind } = await this.job();
        pauseMs = isBehind ? 0 : nextInMs;
        if (isBehind) this.waiting.unshift(...served);
        else for (const { resolve } of served) resolve();
      } catch (error) {
        for (const { reject } of served) reject(error);
        this.onError(error);
        this.woken = false; // many who wake it must not hammer what has just failed
        pauseMs = AFTER_ERROR_MS;
      }
      if (pauseMs > 0 && !this.woken && !this.stopping) await this.pause(Math.min(pauseMs, LONGEST_PAUSE_MS));
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
