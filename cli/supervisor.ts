import { setTimeout as sleep } from 'node:timers/promises';
import { describeExit, identify, type Exit, type ProcessIdentity } from './embedded/processes';

/** Something that runs: a process, known by its pid, that ends by itself or when it is stopped. */
export interface Running {
  pid: number;
  exited: Promise<Exit>;
  stop(): Promise<void>;
}

export interface Service<Name extends string, R extends Running = Running> {
  name: Name;
  start(): Promise<R>;
  /** Where its last words are. */
  logFile?: string;
}

export interface SupervisorOptions<Name extends string> {
  say(line: string): void;
  /** Is told whenever a process begins or ends. */
  onChange(processes: Partial<Record<Name, ProcessIdentity>>): void;
  /** The first pause before a restart; it doubles with every death, up to the longest. */
  backoffMs?: { first: number; longest: number };
  /** Who runs this long is taken for healthy: its next death starts with the first pause again. */
  stableAfterMs?: number;
}

/** Keeps services running: one that dies is started again, with growing pauses, and it says so. */
export class Supervisor<Name extends string> {
  private readonly running = new Map<Name, Running>();
  private readonly starting = new Set<Promise<unknown>>();
  private readonly watches: Promise<void>[] = [];
  private readonly stopping = new AbortController();

  constructor(private readonly options: SupervisorOptions<Name>) {}

  /** Starts a service; from then on it is supervised. When it can't be started this first time, this throws. */
  async start<R extends Running>(service: Service<Name, R>): Promise<R> {
    this.stopping.signal.throwIfAborted();
    const first = await this.begin(service);
    this.watches.push(this.watch(service, first));
    return first;
  }

  /** Stops everything in the given order, one after the other; each stop is bounded in time by the service itself. */
  async stop(order: readonly Name[]): Promise<void> {
    this.stopping.abort();
    // What is only just starting is stopped as soon as it has started (begin), and must be over before what it needs.
    await Promise.allSettled(this.starting);
    for (const name of order) {
      try {
        await this.running.get(name)?.stop();
      } catch (error) {
        this.options.say(`${name} could not be stopped: ${(error as Error).message}`);
      }
    }
    await Promise.all(this.watches);
  }

  private async begin<R extends Running>(service: Service<Name, R>): Promise<R> {
    const starting = service.start();
    this.starting.add(starting);
    const running = await starting.finally(() => this.starting.delete(starting));
    this.running.set(service.name, running);
    this.changed();
    // A stop that came while it started found nothing to stop.
    if (this.stopping.signal.aborted) await running.stop();
    return running;
  }

  private async watch(service: Service<Name>, first: Running): Promise<void> {
    const { first: firstPause, longest } = this.options.backoffMs ?? { first: 500, longest: 30_000 };
    const stableAfterMs = this.options.stableAfterMs ?? 30_000;
    let pauseMs = firstPause;
    let current: Running | undefined = first;
    let why = '';
    for (;;) {
      if (current !== undefined) {
        const since = Date.now();
        const exit = await current.exited;
        this.running.delete(service.name);
        this.changed();
        if (Date.now() - since >= stableAfterMs) pauseMs = firstPause;
        why = `${service.name} (pid ${current.pid}) ended: ${describeExit(exit)}`;
        if (exit.signal === null && service.logFile !== undefined) why += ` (see ${service.logFile})`;
      }
      if (this.stopping.signal.aborted) return;
      this.options.say(`${why}; starting it again in ${pauseMs / 1000} s`);
      await sleep(pauseMs, undefined, { signal: this.stopping.signal }).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, longest);
      if (this.stopping.signal.aborted) return;
      try {
        current = await this.begin(service);
        this.options.say(`${service.name} runs again (pid ${current.pid})`);
      } catch (error) {
        current = undefined;
        why = `${service.name} could not be started: ${(error as Error).message}`;
      }
    }
  }

  private changed(): void {
    const entries = [...this.running].map(([name, { pid }]) => [name, identify(pid)]);
    this.options.onChange(Object.fromEntries(entries) as Partial<Record<Name, ProcessIdentity>>);
  }
}
