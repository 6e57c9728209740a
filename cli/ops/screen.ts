import { createInterface } from 'node:readline/promises';

/** Where a command's words go: what was asked for to stdout, everything about it to stderr. */
export interface Screen {
  print(text: string): void;
  note(text: string): void;
  /** Asks a person; undefined where there is none. */
  confirm(question: string): Promise<boolean | undefined>;
  progress(what: string, total: number): Progress;
}

export interface Progress {
  /** So many are done by now. */
  at(done: number): void;
  end(): void;
}

export function terminal(): Screen {
  return {
    print: (text) => console.log(text),
    note: (text) => console.error(text),
    confirm: async (question) => {
      if (!process.stdin.isTTY) return undefined;
      const asked = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return /^y(es)?$/i.test((await asked.question(`${question} [y/N] `)).trim());
      } finally {
        asked.close();
      }
    },
    progress: (what, total) =>
      process.stderr.isTTY
        ? bar(what, total, (text) => process.stderr.write(text))
        : counts(what, total, (text) => process.stderr.write(text)),
  };
}

const WIDTH = 30;

export function bar(what: string, total: number, write: (text: string) => void): Progress {
  const draw = (done: number) => {
    const filled = Math.round((WIDTH * done) / total);
    write(`\r${what} [${'#'.repeat(filled).padEnd(WIDTH, '.')}] ${done}/${total}`);
  };
  draw(0);
  return { at: draw, end: () => write('\n') };
}

/** A line each tenth of the way, for a log. */
export function counts(what: string, total: number, write: (text: string) => void): Progress {
  let tenth = 0;
  return {
    at(done) {
      const reached = Math.floor((10 * done) / total);
      if (reached > tenth) write(`${what}: ${done}/${total}\n`);
      tenth = reached;
    },
    end: () => undefined,
  };
}
