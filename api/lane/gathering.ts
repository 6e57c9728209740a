/** Longer than it takes to write a group's answers, and for clients to read them and ask for more. */
const MAX_PAUSE_MS = 15;
/** After a pause in vain, as many groups leave at once: these clients don't come back for more. */
const SKIP_AFTER_VAIN = 16;

/**
 * When a group has been answered, its clients may be about to ask again. Letting them come before the next group leaves
 * makes one large group of what would else be two, each waiting for the other. It pays only under load: what is alone
 * never waits, a pause is at most half of what the group before took, and it is over as soon as all are back.
 */
export class Gathering {
  private until = 0;
  private expected = 0;
  private arrived = 0;
  private skip = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly onOver: () => void) {}

  /** A group of this many was answered, so long after it left. */
  begin(answered: number, tookMs: number): void {
    if (answered < 2 || this.until > 0) return;
    if (this.skip > 0) {
      this.skip -= 1;
      return;
    }
    const pauseMs = Math.min(MAX_PAUSE_MS, tookMs / 2);
    this.until = performance.now() + pauseMs;
    this.expected = answered;
    this.arrived = 0;
    this.timer = setTimeout(() => this.end(), pauseMs);
  }

  arrive(): void {
    this.arrived += 1;
  }

  /** Whether the next group had better wait a moment. */
  get isOn(): boolean {
    return this.until > 0 && this.arrived < this.expected && performance.now() < this.until;
  }

  private end(): void {
    clearTimeout(this.timer);
    this.until = 0;
    if (this.arrived < this.expected / 2) this.skip = SKIP_AFTER_VAIN;
    this.onOver();
  }
}
