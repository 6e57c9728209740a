import type { BankEvent, Rail } from '../bank/rail';
import { isFinal, type TransactionStatus } from '../contracts/statuses';
import { shardOfId } from '../contracts/ids';
import type { Sealer } from '../ledger/seal';
import type { Shard, Shards } from '../ledger/shards';
import { receive } from '../payments/inbox';
import { bankCurrencies } from './bank-rows';
import { knownLines, ourSides } from './bank';
import type { KnownLine } from './bank-rows';
import type { Reposted } from './repost';
import { weighLine, type OurSide } from './weigh-line';

export interface TellingDeps {
  shards: Shards;
  rail: Pick<Rail, 'statement' | 'lookUp'>;
  sealer: Sealer;
}

interface Days {
  since: Date;
  until: Date;
  /** What the bank moved so lately may not have reached us yet. */
  youngMs: number;
}

const DAY_MS = 86_400_000;

/**
 * What the bank's statement tells of a shard and its books don't: the bank is asked about each, and its answer put into
 * the shard's inbox, once, as if the bank had told it by itself. So what acts on the bank's news acts on this, too.
 */
export async function* tellAgain(
  deps: TellingDeps,
  restored: Shard,
  days: Days,
  isDryRun: boolean,
): AsyncGenerator<Reposted> {
  for (const currency of await bankCurrencies(deps.shards.all)) {
    for (const day of daysOf(days)) {
      let cursor: string | undefined;
      do {
        const page = await deps.rail.statement({ day, currency, ...(cursor !== undefined && { cursor }) });
        const known = await knownLines(deps.shards, currency, page.lines);
        const ours = known.filter((line) => isOf(restored, line));
        const sideOf = await ourSides(restored, currency, ours);
        const standings = await standingsOf(restored, ours);
        for (const line of ours) {
          const side = sideOf(line);
          const isYoung = Date.parse(line.at) > days.until.getTime() - days.youngMs;
          if (weighLine(line, side, isYoung)?.kind !== 'theirs_only') continue;
          const told = await tell(deps, line, side, standings.get(line.transactionId ?? ''), isDryRun);
          if (told) yield told;
        }
        cursor = page.nextCursor;
      } while (cursor !== undefined);
    }
  }
}

async function tell(
  { shards, rail, sealer }: TellingDeps,
  line: KnownLine,
  { request }: OurSide,
  status: TransactionStatus | undefined,
  isDryRun: boolean,
): Promise<Reposted | undefined> {
  const { kind, reference, settlementId, amountMinor, currency, at } = line;
  const what = `${kind} ${settlementId} of ${amountMinor} ${currency}`;
  const left = (why: string): Reposted => ({
    subject: reference ?? settlementId,
    done: false,
    detail: `${what}: ${why}`,
  });
  if (reference === undefined) return left('nobody has booked it; have the bank tell of it again');
  if (status === 'awaiting_approval') return left('its approval was lost; approve it before that expires');
  // It has not asked the bank yet, as far as it knows: it will, under the same reference.
  if (status !== undefined && !isFinal(status) && !request) return undefined;
  if (!isDryRun) {
    const fact = await rail.lookUp(reference);
    if (fact.state === 'unknown') return left('the bank doesn’t know the reference now; run this again');
    const event: BankEvent = { id: `again:${settlementId}`, kind: 'fact', at, fact };
    await receive({ shards, sealer }, [event]);
  }
  if (status === undefined) return left('its transaction is not there; it is in the inbox until that is');
  return { subject: reference, done: true, detail: `${what}: in the inbox again` };
}

/** A credit that nobody has booked may be anybody's. */
function isOf({ number }: Shard, { transactionId, kind }: KnownLine): boolean {
  return transactionId === undefined ? kind === 'credit' : shardOfId(transactionId) === number;
}

async function standingsOf({ db }: Shard, lines: readonly KnownLine[]): Promise<Map<string, TransactionStatus>> {
  const ids = lines.flatMap(({ transactionId }) => transactionId ?? []);
  if (ids.length === 0) return new Map();
  const rows = await db.selectFrom('transactions').select(['id', 'status']).where('id', 'in', ids).execute();
  return new Map(rows.map(({ id, status }) => [id, status]));
}

function daysOf({ since, until }: Days): string[] {
  const days: string[] = [];
  const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);
  for (let time = since.getTime(); dayOf(time) <= dayOf(until.getTime()); time += DAY_MS) days.push(dayOf(time));
  return days;
}
