const TIMEOUT_MS = 2_000;
const MOST = 3;

interface Statement {
  name: string;
  count: number;
  averageMs: number;
  slow: number;
}

/** The SQL statements that took the longest on average in a process, by its own figures; none when it has no answer. */
export async function slowestStatements(port: number): Promise<Statement[]> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return slowestIn(await answer.text());
  } catch {
    return [];
  }
}

export function slowestIn(text: string): Statement[] {
  const count = figuresOf(text, 'holdfast_sql_seconds_count');
  const seconds = figuresOf(text, 'holdfast_sql_seconds_sum');
  const slow = figuresOf(text, 'holdfast_sql_slow_total');
  return [...count]
    .map(([name, times]) => ({
      name,
      count: times,
      averageMs: ((seconds.get(name) ?? 0) * 1_000) / times,
      slow: slow.get(name) ?? 0,
    }))
    .sort((one, other) => other.averageMs - one.averageMs)
    .slice(0, MOST);
}

function figuresOf(text: string, metric: string): Map<string, number> {
  const line = new RegExp(`^${metric}\\{statement="([^"]*)"\\} (\\S+)$`, 'gm');
  return new Map([...text.matchAll(line)].map(([, name, value]) => [name!, Number(value)]));
}
