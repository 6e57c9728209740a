import type { Rail, StatementLine } from '../bank/rail';
import type { ReconciliationPart } from '../contracts/reconciliation';
import { shardOfId, type TransactionId } from '../contracts/ids';
import { derivedTransactionId } from '../ledger/identity';
import type { Shard, Shards } from '../ledger/shards';
import { beginningOf, boundOf } from '../ledger/spans';
import { transactionOfReference, type BankRequest } from '../payments/requests';
import { bankCurrencies, bookedOf, bookedPage, keepLines, type KnownLine } from './bank-rows';
import type { Batch, Finding } from './batch';
import { weighLine, type OurSide } from './weigh-line';

export interface BankDeps {
  shards: Shards;
  rail: Pick<Rail, 'statement'>;
}

/** How far a check against the bank has come, as JSON can carry it: first its statements, then our books. */
export interface BankPlace {
  statements: { day: string; currency: string }[];
  cursor?: string;
  books: { shard: number; currency: string }[];
  after?: { block: string; index: number };
}

type Days = Pick<ReconciliationPart, 'days' | 'youngMs'>;

/**
 * The bank's statement of some days against our books, line by line, and then our books against its lines: those from
 * the second day on, since what we booked just after midnight the bank may have moved before it.
 */
export async function* checkBank(deps: BankDeps, days: Days, from?: BankPlace): AsyncGenerator<Batch<BankPlace>> {
  for (let place = from ?? (await begin(deps, days)); ;) {
    const batch = await checkNext(deps, days, place);
    if (!batch) return;
    yield batch;
    place = batch.place;
  }
}

async function begin({ shards }: BankDeps, { days }: Days): Promise<BankPlace> {
  const currencies = await bankCurrencies(shards.all);
  return {
    statements: days.flatMap((day) => currencies.map((currency) => ({ day, currency }))),
    books: shards.all.flatMap(({ number }) => currencies.map((currency) => ({ shard: number, currency }))),
  };
}

function checkNext(deps: BankDeps, days: Days, place: BankPlace): Promise<Batch<BankPlace>> | undefined {
  if (place.statements.length > 0) return checkStatement(deps, days, place);
  if (place.books.length > 0) return checkBooked(deps, days, place);
  return undefined;
}

async function checkStatement({ shards, rail }: BankDeps, { youngMs }: Days, place: BankPlace) {
  const [{ day, currency }, ...others] = place.statements as [BankPlace['statements'][0]];
  const { lines, nextCursor } = await rail.statement({
    day,
    currency,
    ...(place.cursor !== undefined && { cursor: place.cursor }),
  });
  const known = await knownLines(shards, currency, lines);
  const findings: Finding[] = [];
  for (const [number, some] of byShard(known)) {
    const shard = shards.shard(number);
    await keepLines(shard.db, some);
    const ours = await ourSides(shard, currency, some);
    const young = Date.now() - youngMs;
    findings.push(...some.flatMap((line) => weighLine(line, ours(line), Date.parse(line.at) > young) ?? []));
  }
  const { books } = place;
  const next = nextCursor === undefined ? { statements: others, books } : { ...place, cursor: nextCursor };
  return { place: next, checked: lines.length, findings };
}

/** A credit names no shard: the one that booked it is looked for. */
export async function knownLines(
  shards: Shards,
  currency: string,
  lines: readonly StatementLine[],
): Promise<KnownLine[]> {
  const credits = lines.filter(({ kind }) => kind === 'credit');
  const booked = new Map<string, TransactionId>();
  for (const shard of credits.length > 0 ? shards.all : []) {
    const ids = new Map(credits.map((line) => [derivedTransactionId(shard.number, 'credit', line.settlementId), line]));
    for (const id of (await bookedOf(shard, currency, [...ids.keys()])).keys())
      booked.set(ids.get(id)!.settlementId, id);
  }
  return lines.map((line) => {
    const id = line.reference === undefined ? booked.get(line.settlementId) : transactionOfReference(line.reference);
    return { ...line, transactionId: id !== undefined && shards.forId(id) ? id : undefined };
  });
}

/** What names none of our transactions is the first shard's to look for. */
function byShard(lines: readonly KnownLine[]): Map<number, KnownLine[]> {
  const shards = new Map<number, KnownLine[]>();
  for (const line of lines) {
    const shard = line.transactionId === undefined ? 0 : shardOfId(line.transactionId)!;
    shards.set(shard, [...(shards.get(shard) ?? []), line]);
  }
  return shards;
}

export async function ourSides(shard: Shard, currency: string, lines: readonly KnownLine[]) {
  const reversalOf = (id: TransactionId) => derivedTransactionId(shard.number, 'reversal', id);
  const ids = lines.flatMap(({ transactionId }) => transactionId ?? []);
  const booked = await bookedOf(shard, currency, [...ids, ...ids.map(reversalOf)]);
  const requests = await requestsOf(shard, lines);
  return ({ reference, transactionId }: KnownLine): OurSide => ({
    request: reference === undefined ? undefined : requests.get(reference),
    bookedMinor: (transactionId && booked.get(transactionId)) || 0n,
    reversedMinor: (transactionId && booked.get(reversalOf(transactionId))) || 0n,
  });
}

async function requestsOf({ db }: Shard, lines: readonly KnownLine[]): Promise<Map<string, BankRequest>> {
  const references = lines.flatMap(({ reference }) => reference ?? []);
  if (references.length === 0) return new Map();
  const rows = await db.selectFrom('bank_requests').selectAll().where('reference', 'in', references).execute();
  return new Map(rows.map((row) => [row.reference, row]));
}

async function checkBooked({ shards }: BankDeps, { days, youngMs }: Days, place: BankPlace) {
  const [{ shard: number, currency }, ...others] = place.books as [BankPlace['books'][0]];
  const shard = shards.shard(number);
  const since = new Date(days[1] ?? days[0]!);
  const after = place.after
    ? await boundOf(shard.db, { block: BigInt(place.after.block), index: place.after.index })
    : { ...(await beginningOf(shard.db, since)), index: -1 };
  const page = await bookedPage(shard, { currency, after, until: new Date(Date.now() - youngMs) });
  const findings = page
    .filter(({ isTold }) => !isTold)
    .map(({ transaction_id, type, amount }) => ({
      kind: 'ours_only',
      subject: transaction_id,
      detail: `${type}: ${amount} ${currency} is booked at the bank, whose statement does not tell of it`,
    }));
  const last = page.at(-1);
  const next: BankPlace = last
    ? { ...place, after: { block: last.block.toString(), index: last.index } }
    : { statements: [], books: others };
  return { place: next, checked: page.length, findings };
}
