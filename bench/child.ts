import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';

/**
 * A part of the bench in a process of its own, so that one part's garbage collector doesn't slow another's figures.
 * It ends when we do: the channel between us closes.
 */
export class Child<Job, Result> {
  private readonly waiting = new Map<number, { resolve(result: Result): void; reject(error: Error): void }>();
  private nextId = 0;

  private constructor(
    private readonly process: ChildProcess,
    private readonly name: string,
  ) {
    process.on('message', (message) => this.receive(message as Reply<Result>));
    process.once('exit', (code, signal) => {
      const why = new Error(`${this.name} ended (${signal ?? `exit code ${code}`})`);
      for (const each of this.waiting.values()) each.reject(why);
      this.waiting.clear();
    });
  }

  /** `name` is a file of bench/ that calls `answerJobs`. */
  static start<Job, Result>(name: string, env: NodeJS.ProcessEnv = {}): Child<Job, Result> {
    const child = fork(path.join(__dirname, `${name}.js`), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, ...env },
      execArgv: [],
    });
    return new Child(child, `bench/${name}`);
  }

  get pid(): number {
    return this.process.pid!;
  }

  ask(job: Job): Promise<Result> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (!this.process.connected) return reject(new Error(`${this.name} is not there any more`));
      this.waiting.set(id, { resolve, reject });
      this.process.send({ id, job } satisfies Message<Job>);
    });
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    const force = setTimeout(() => this.process.kill('SIGKILL'), 10_000);
    if (this.process.connected) this.process.disconnect();
    await gone;
    clearTimeout(force);
  }

  private receive({ id, result, error }: Reply<Result>): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) waiting?.resolve(result as Result);
    else waiting?.reject(new Error(`${this.name}: ${error}`));
  }
}

interface Message<Job> {
  id: number;
  job: Job;
}

interface Reply<Result> {
  id: number;
  result?: Result;
  error?: string;
}

/** The child's side: answers jobs until the parent is gone. */
export function answerJobs<Job, Result>(
  handle: (job: Job) => Promise<Result>,
  atEnd: () => Promise<void> = async () => {},
): void {
  process.on('message', ({ id, job }: Message<Job>) => {
    const reply = (message: Reply<Result>) => process.connected && process.send!(message);
    handle(job).then(
      (result) => reply({ id, result }),
      (error: unknown) => reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.once('disconnect', () => {
    atEnd()
      .catch(() => {})
      .finally(() => process.exit(0));
  });
  // A Ctrl-C goes to everyone in the terminal; the parent stops us in order.
  process.on('SIGINT', () => {});
}
