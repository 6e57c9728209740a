/** What is remembered for a while only, and so much of it at most: the oldest goes first. */
export class Kept<Value> {
  private readonly entries = new Map<string, { value: Value; until: number }>();

  constructor(
    private readonly max: number,
    private readonly forMs: number,
  ) {}

  get(name: string): Value | undefined {
    this.forget();
    return this.entries.get(name)?.value;
  }

  set(name: string, value: Value): void {
    this.entries.delete(name);
    this.entries.set(name, { value, until: Date.now() + this.forMs });
    this.forget();
  }

  delete(name: string): void {
    this.entries.delete(name);
  }

  deleteAll(isMeant: (value: Value) => boolean): void {
    for (const [name, { value }] of this.entries) if (isMeant(value)) this.entries.delete(name);
  }

  /** All are kept for the same time, so they stand in the order in which they go. */
  private forget(): void {
    const now = Date.now();
    for (const [name, { until }] of this.entries) {
      if (until > now && this.entries.size <= this.max) return;
      this.entries.delete(name);
    }
  }
}
