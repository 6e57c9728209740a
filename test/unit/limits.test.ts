import fc from 'fast-check';
import { LIMIT_KINDS, LIMIT_PERIODS, isSamePeriod, type LimitKind } from '../../contracts/limits';
import type { Account, BooksEvent, TransactionRecord } from '../../ledger/books';
import type { Command } from '../../ledger/commands';
import { limitsOf } from '../../ledger/limits';
import { commands, Model } from '../support/books-model';

const DAY_MS = 86_400_000;
const LIMITS = new Map([
  ['SGD', { transfer: { day: 9n, month: 14n }, withdrawal: { month: 12n }, deposit: { day: 10n } }],
  ['JPY', { transfer: { month: 5n } }],
]);

/** What counts, by the rows alone, with the moment at which it began to. */
function countedOf(model: Model, { id, kind: ofWhom }: Account, kind: LimitKind) {
  if (ofWhom !== 'user') return [];
  return [...model.transactions.values()].flatMap((record) => {
    const at = record.type === kind ? countedAt(model, record, id) : undefined;
    return at ? [{ id: record.id, at, amountMinor: record.amountMinor }] : [];
  });
}

function countedAt(model: Model, record: TransactionRecord, wallet: string): Date | undefined {
  const cameToNothing = record.status === 'rejected' || record.status === 'cancelled';
  if (record.type === 'deposit') {
    const isAskedFor = model.openedBy.has(record.id) && record.to === wallet && wallet.endsWith(record.currency);
    return isAskedFor && !cameToNothing ? record.createdAt : undefined;
  }
  if (record.from !== wallet) return undefined;
  const hold = [...model.holds.values()].find(({ transactionId }) => transactionId === record.id);
  if (hold) return hold.status === 'released' ? undefined : hold.at;
  return record.status === 'completed' ? record.completedAt! : undefined;
}

const steps = fc.array(fc.tuple(commands, fc.constantFrom(0, 1, DAY_MS / 2, DAY_MS, 20 * DAY_MS)), { maxLength: 6 });

/** Some commands, then time goes on. */
function always(look: (model: Model, news: BooksEvent[]) => void): void {
  fc.assert(
    fc.property(steps, (all) => {
      const model = new Model(LIMITS);
      for (const [some, pause] of all) {
        for (const each of some) {
          const { length } = model.events;
          model.post([each]);
          look(model, model.events.slice(length));
        }
        model.at = new Date(model.at.getTime() + pause);
      }
    }),
    { numRuns: 100 },
  );
}

describe('whatever is asked of wallets with limits', () => {
  test('what is counted is what was moved or is on its way, in the day and month that it began in', () => {
    always((model) => {
      for (const account of model.accounts.values()) {
        for (const kind of LIMIT_KINDS) {
          const counted = account.used?.[kind];
          const moved = countedOf(model, account, kind);
          if (Object.keys(limitsOf(account, kind, LIMITS)).length === 0 || account.kind === 'system') {
            expect(counted).toBeUndefined();
            continue;
          }
          for (const period of LIMIT_PERIODS) {
            const now = moved.filter(({ at }) => counted && isSamePeriod(period, at, counted.at));
            const sum = now.reduce((total, { amountMinor }) => total + amountMinor, 0n);
            expect(counted?.[period] ?? 0n).toBe(sum);
          }
        }
      }
    });
  });

  test('no wallet moves more than a limit in its day or month, whatever is held, released or asked for again', () => {
    always((model) => {
      // What another shard has credited is posted again whatever the limits, and what nobody asked for isn't refused.
      if (model.events.some(({ kind }) => kind === 'reposted')) return;
      for (const account of model.accounts.values()) {
        for (const kind of LIMIT_KINDS) {
          const limits = limitsOf(account, kind, LIMITS);
          for (const period of LIMIT_PERIODS) {
            const asked = countedOf(model, account, kind).filter(({ id }) => model.openedBy.get(id) !== 'attention');
            const now = asked.filter(({ at }) => isSamePeriod(period, at, model.at));
            const sum = now.reduce((total, { amountMinor }) => total + amountMinor, 0n);
            if (typeof limits[period] === 'bigint') expect(sum).toBeLessThanOrEqual(limits[period]);
          }
        }
      }
    });
  });

  test('what passes a limit is rejected, says which, and moves and holds nothing', () => {
    always((model, news) => {
      for (const { subjectId, kind, detail } of news) {
        if (kind !== 'rejected' || !detail.includes('limit_exceeded')) continue;
        const { period, limitMinor, usedMinor } = JSON.parse(detail) as Record<string, string>;
        const { amountMinor, status, reason } = model.transactions.get(subjectId)!;
        expect({ status, reason }).toEqual({ status: 'rejected', reason: 'limit_exceeded' });
        expect(LIMIT_PERIODS).toContain(period);
        expect(BigInt(usedMinor!) + amountMinor).toBeGreaterThan(BigInt(limitMinor!));
        expect(model.entries.filter(({ transactionId }) => transactionId === subjectId)).toEqual([]);
        expect([...model.holds.values()].filter(({ transactionId }) => transactionId === subjectId)).toEqual([]);
      }
    });
  });

  test('a batch does what its commands do one by one', () => {
    fc.assert(
      fc.property(commands, fc.array(fc.integer({ min: 1, max: 8 })), (all, sizes) => {
        const [together, apart] = [new Model(LIMITS), new Model(LIMITS)];
        const outcomes = all.flatMap((each) => apart.post([each]));
        const rest = [...all];
        const batches = [...sizes, all.length].map((size) => rest.splice(0, size));
        expect(batches.flatMap((batch) => together.post(batch))).toEqual(outcomes);
        expect(together.state()).toEqual(apart.state());
      }),
      { numRuns: 300 },
    );
  });
});

describe('one wallet', () => {
  const A = 'ac_0_a.SGD';
  const B = 'ac_0_b.SGD';
  const pay = (id: string, amountMinor: bigint): Command => ({
    kind: 'transfer',
    facts: { id, type: 'transfer', actorId: 'us_0_a', hash: id, from: A, to: B, amountMinor, currency: 'SGD' },
  });
  const reasonOf = (model: Model, command: Command) => {
    const [outcome] = model.post([command]);
    return outcome?.kind === 'transaction' ? outcome.reason : outcome;
  };
  const withdrawal = (id: string, amountMinor: bigint) => ({
    id,
    type: 'withdrawal' as const,
    actorId: 'us_0_a',
    hash: id,
    from: A,
    to: 'ac_0_@bank.SGD',
    amountMinor,
    currency: 'SGD',
  });
  const hold = (id: string, amountMinor: bigint): Command => ({
    kind: 'hold',
    facts: withdrawal(id, amountMinor),
    step: 'hold',
    owner: 'w',
  });
  const release = (id: string, amountMinor: bigint): Command => ({
    kind: 'release',
    facts: withdrawal(id, amountMinor),
    step: 'release',
    holdStep: 'hold',
    status: 'cancelled',
    reason: 'given back',
  });

  test('may spend its limit to the cent, and from midnight UTC on all of it again', () => {
    const model = new Model(new Map([['SGD', { transfer: { day: 4n } }]]));
    model.at = new Date('2026-03-31T23:59:59.999Z');
    expect(reasonOf(model, pay('tx_0_a', 4n))).toBeNull();
    expect(reasonOf(model, pay('tx_0_b', 1n))).toBe('limit_exceeded');
    model.at = new Date('2026-04-01T00:00:00.000Z');
    expect(reasonOf(model, pay('tx_0_c', 4n))).toBeNull();
  });

  test('has the month’s limit in the last day of the month, and the next month’s after it', () => {
    const model = new Model(new Map([['SGD', { transfer: { month: 4n } }]]));
    model.at = new Date('2026-02-01T00:00:00.000Z');
    expect(reasonOf(model, pay('tx_0_a', 3n))).toBeNull();
    model.at = new Date('2026-02-28T23:59:59.999Z');
    expect(reasonOf(model, pay('tx_0_b', 2n))).toBe('limit_exceeded');
    model.at = new Date('2026-03-01T00:00:00.000Z');
    expect(reasonOf(model, pay('tx_0_c', 4n))).toBeNull();
  });

  test('gets back what a cancelled withdrawal counted, in the same day; the next day’s is its own', () => {
    const model = new Model(new Map([['SGD', { withdrawal: { day: 4n } }]]));
    expect(reasonOf(model, hold('tx_0_a', 4n))).toBeNull();
    expect(reasonOf(model, hold('tx_0_b', 1n))).toBe('limit_exceeded');
    expect(reasonOf(model, release('tx_0_a', 4n))).toBe('given back');
    expect(reasonOf(model, hold('tx_0_c', 3n))).toBeNull();
    model.at = new Date(model.at.getTime() + DAY_MS);
    expect(reasonOf(model, hold('tx_0_d', 4n))).toBeNull();
    expect(reasonOf(model, release('tx_0_c', 3n))).toBe('given back');
    expect(reasonOf(model, hold('tx_0_e', 1n))).toBe('limit_exceeded');
  });

  test('with its own limit, or none, doesn’t heed the default', () => {
    const model = new Model(new Map([['SGD', { transfer: { day: 4n, month: 9n } }]]));
    const wallet = model.accounts.get(A)!;
    model.accounts.set(A, { ...wallet, limits: { transfer: { day: null } } });
    expect(reasonOf(model, pay('tx_0_a', 9n))).toBeNull();
    expect(reasonOf(model, pay('tx_0_b', 1n))).toBe('limit_exceeded');
  });

  test('is not counted where it never had a limit, and stays counted where it has had one', () => {
    const model = new Model();
    model.post([pay('tx_0_a', 1n)]);
    expect(model.accounts.get(A)!.used).toBeNull();
    model.accounts.set(A, { ...model.accounts.get(A)!, limits: { transfer: { day: 100n } } });
    model.post([pay('tx_0_b', 2n)]);
    model.accounts.set(A, { ...model.accounts.get(A)!, limits: null });
    model.post([pay('tx_0_c', 3n)]);
    expect(model.accounts.get(A)!.used).toMatchObject({ transfer: { day: 5n, month: 5n } });
  });
});
