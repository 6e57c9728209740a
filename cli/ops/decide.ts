import type { DecisionKind } from '../../contracts/statuses';
import { UserError } from '../user-error';
import { actOnEach, ask, resultOf, type Result } from './act';
import { isFilter, waiting, type Filters } from './choose';
import type { OpsClient } from './client';
import type { Screen } from './screen';
import { plain, table } from './table';

export interface DecideOptions extends Filters {
  all?: boolean;
  note?: string;
  outcome?: string;
  yes?: boolean;
  json?: boolean;
  atOnce: number;
}

export interface Target {
  id: string;
  /** What it is, where that is known before. */
  what?: string;
}

/** What waits for an approval is nothing to try again, and the other way round. */
const APPLIES_TO: Record<DecisionKind, string | undefined> = {
  retry: 'needs_attention',
  resolve: 'needs_attention',
  approve: 'awaiting_approval',
  reject: 'awaiting_approval',
  cancel: undefined,
};

/** The same decision about the transactions that are named, or that fit the filters. 0: all done; 2: not all. */
export async function decide(
  client: OpsClient,
  kind: DecisionKind,
  ids: string[],
  options: DecideOptions,
  screen: Screen,
): Promise<number> {
  const targets = await choose(client, kind, ids, options);
  const body = { note: options.note, outcome: options.outcome };
  return onMany(targets, { verb: kind, thing: 'transaction', isNamed: ids.length === 1, ...options }, screen, (id) =>
    ask(client, `/v1/transactions/${encodeURIComponent(id)}/${kind}`, body).then((reply) => resultOf(id, reply)),
  );
}

export async function resolveInbox(
  client: OpsClient,
  eventIds: string[],
  options: Pick<DecideOptions, 'note' | 'yes' | 'json' | 'atOnce'>,
  screen: Screen,
): Promise<number> {
  const targets = unique(eventIds);
  const about = { verb: 'put away', thing: 'event', isNamed: eventIds.length === 1, ...options };
  return onMany(targets, about, screen, (id) =>
    ask(client, `/v1/ops/inbox/${encodeURIComponent(id)}/resolve`, { note: options.note }).then((reply) =>
      resultOf(id, reply),
    ),
  );
}

async function choose(client: OpsClient, kind: DecisionKind, ids: string[], options: DecideOptions): Promise<Target[]> {
  const { type, reason, currency, since, until } = options;
  const byFilter = options.all === true || isFilter(options);
  if (ids.length > 0 && byFilter) throw new UserError('Name transactions or choose them by filter, not both.');
  if (ids.length > 0) return unique(ids);
  if (!byFilter) {
    throw new UserError('Which ones?', 'Name them, or choose by --type, --reason, --currency, …, or take --all.');
  }
  const status = options.status ?? APPLIES_TO[kind];
  const found = await waiting(client, { type, reason, currency, since, until, status });
  return found.map(({ transaction }) => ({
    id: transaction.id,
    what: [transaction.type, transaction.status, transaction.reason].filter(Boolean).join(' '),
  }));
}

const unique = (ids: string[]): Target[] => [...new Set(ids)].map((id) => ({ id }));

interface About {
  verb: string;
  thing: string;
  isNamed: boolean;
  yes?: boolean;
  json?: boolean;
  atOnce: number;
}

async function onMany(
  targets: Target[],
  about: About,
  screen: Screen,
  act: (id: string) => Promise<Result>,
): Promise<number> {
  const { verb, thing, json } = about;
  if (targets.length > 0 && !(await isAgreed(targets, about, screen))) {
    screen.note('Nothing was done.');
    return 1;
  }
  const progress = targets.length > 1 ? screen.progress(verb, targets.length) : undefined;
  const ids = targets.map(({ id }) => id);
  const results = await actOnEach(ids, act, { atOnce: about.atOnce, onDone: (done) => progress?.at(done) });
  progress?.end();
  if (json) screen.print(JSON.stringify({ outcomes: tally(results), results }, null, 2));
  else screen.print(results.length === 0 ? `No ${thing} fits.` : summaryOf(results));
  return results.every(({ done }) => done) ? 0 : 2;
}

/** One that a person named needs no second thought; many do. */
async function isAgreed(targets: Target[], { verb, thing, isNamed, yes }: About, screen: Screen): Promise<boolean> {
  if (yes || isNamed) return true;
  const kinds = Object.entries(countsOf(targets.flatMap(({ what }) => what ?? [])));
  for (const [what, count] of kinds) screen.note(`  ${count} x ${plain(what)}`);
  const agreed = await screen.confirm(`${verb} ${targets.length} ${thing}${targets.length === 1 ? '' : 's'}?`);
  if (agreed === undefined) throw new UserError('Nobody is there to confirm it.', 'Give --yes to go on without.');
  return agreed;
}

function summaryOf(results: Result[]): string {
  const refused = results.filter(({ done, detail }) => !done || detail !== undefined);
  const counts = Object.entries(tally(results)).map(([outcome, count]) => [String(count), outcome]);
  if (results.length === 1) return line(results[0]!);
  return [table(['COUNT', 'OUTCOME'], counts, { right: [0] }), ...refused.map(line)].join('\n');
}

const line = ({ id, outcome, detail }: Result) =>
  plain(`${id}  ${outcome}${detail === undefined ? '' : `  ${detail}`}`);
const tally = (results: Result[]) => countsOf(results.map(({ outcome }) => outcome));

function countsOf(words: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
