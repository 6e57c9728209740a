/** What an expression of Prometheus names. Not a parser: enough to hold rules and dashboards against what there is. */
export interface Named {
  metrics: Selector[];
  /** What it groups and joins by. */
  grouping: string[];
  /** Anything that it calls. */
  functions: string[];
}

export interface Selector {
  metric: string;
  matchers: { label: string; operator: string; value: string }[];
}

const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
const SELECTOR = /([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?(\s*\()?/g;
const MATCHER = /(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g;
const WORDS = new Set(['and', 'or', 'unless', 'bool', 'offset']);

export function namedBy(expr: string): Named {
  const grouping = [...expr.matchAll(GROUPING)].flatMap(([, labels]) => labels!.split(',').map((each) => each.trim()));
  const rest = expr.replaceAll(GROUPING, ' ').replaceAll(/\[[^\]]*\]/g, ' ');
  const named: Named = { metrics: [], grouping: grouping.filter((label) => label !== ''), functions: [] };
  for (const [, name, matchers = '', call] of rest.matchAll(SELECTOR)) {
    if (WORDS.has(name!)) continue;
    if (call !== undefined) named.functions.push(name!);
    else named.metrics.push({ metric: name!, matchers: matchersOf(matchers) });
  }
  return named;
}

function matchersOf(text: string): Selector['matchers'] {
  const left = text.replaceAll(MATCHER, '').replaceAll(',', '').trim();
  if (left !== '') throw new Error(`unread in {${text}}: ${left}`);
  return [...text.matchAll(MATCHER)].map(([, label, operator, value]) => ({
    label: label!,
    operator: operator!,
    value: value!,
  }));
}
