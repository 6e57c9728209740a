import type pg from 'pg';
import { slowStatements, statements } from './instruments';

/** What the slow ones are told to. */
export interface SlowStatements {
  slowMs: number;
  tell(slow: { statement: string; ms: number; sql: string }): void;
}

/** What a statement does, as a label: `select entries`. Only what the code says of it, never a value. */
export function nameOfSql(text: string): string {
  const verb = /^[\s(]*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? 'other';
  const table = /\b(?:from|into|update|join)\s+(?:only\s+)?"?([a-z_]\w*)"?/i.exec(text)?.[1]?.toLowerCase();
  return table === undefined ? verb : `${verb} ${table}`;
}

export function noteStatement(statement: string, ms: number, sql: string, slow?: SlowStatements): void {
  statements.observe({ statement }, ms / 1_000);
  if (slow === undefined || ms < slow.slowMs) return;
  slowStatements.inc({ statement });
  slow.tell({ statement, ms, sql });
}

/** Times each statement of a pipelined connection: from the answer to the one before it, which it had to wait for. */
export function timeStatements(client: pg.Client, slow?: SlowStatements): void {
  const query = client.query.bind(client) as (config: Statement) => Promise<unknown>;
  let answeredAt = 0;
  const timed = (config: Statement) => {
    const sentAt = performance.now();
    const note = () => {
      const now = performance.now();
      const text = typeof config === 'string' ? config : config.text;
      const name = typeof config === 'string' ? undefined : config.name;
      noteStatement(
        name === undefined ? nameOfSql(text) : `post ${name}`,
        now - Math.max(sentAt, answeredAt),
        text,
        slow,
      );
      answeredAt = now;
    };
    const answer = query(config);
    answer.then(note, note);
    return answer;
  };
  client.query = timed as typeof client.query;
}

type Statement = string | { name?: string; text: string };
