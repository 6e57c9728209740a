import type pg from 'pg';
import { noteSpan } from '../tracing';
import { slowStatements, statements } from './instruments';

/** What the slow ones are told to. */
export interface SlowStatements {
  slowMs: number;
  tell(slow: { statement: string; ms: number; sql: string }): void;
}

/** Their texts are the code's, with a parameter for each value; lists of parameters make some more. */
const MOST_NAMES = 2_000;
const names = new Map<string, string>();

/** What a statement does, as a label: `select entries`. Only what the code says of it, never a value. */
export function nameOfSql(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = readName(text);
  if (names.size < MOST_NAMES) names.set(text, name);
  return name;
}

function readName(text: string): string {
  const verb = /^[\s(]*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? 'other';
  const table = /\b(?:from|into|update|join)\s+(?:only\s+)?"?([a-z_]\w*)"?/i.exec(text)?.[1]?.toLowerCase();
  return table === undefined ? verb : `${verb} ${table}`;
}

const SQL = { 'db.system.name': 'postgresql' };

const counted = new Set<string>();

export function noteStatement(statement: string, ms: number, sql: string, slow?: SlowStatements): void {
  if (!counted.has(statement)) {
    counted.add(statement);
    slowStatements.inc({ statement }, 0);
  }
  statements.observe({ statement }, ms / 1_000);
  noteSpan(statement, ms, SQL);
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
